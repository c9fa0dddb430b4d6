"""The WebUI provider sends exactly what the golden pairs say and reads what they answer."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.base import TaskFailed, TaskPending, TaskRunning, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.sd_webui.advanced import SdWebuiOptions
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import CutOutSubject, InpaintImage, UpscaleImage
from atelier_mcp.server.requests.faces import SwapFaces
from atelier_mcp.server.requests.understand import DescribeImage
from atelier_mcp.server.testing import provider_calls
from tests.support.sd_webui_script import IMAGE, MISSING, create_webui, encode_colour, script_server
from tests.support.upstream_script import build_response
from tests.support.wire_pairs import SOURCE_BASE64, format_name, load_pairs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atelier_mcp.server.providers.base import TaskSnapshot
    from atelier_mcp.server.providers.sd_webui.provider import SdWebuiProvider
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import UpstreamScript

PAIRS = load_pairs("sd_webui", side="client")
REQUESTS: dict[str, type[Request]] = {
    kind.capability: kind
    for kind in (GenerateImage, InpaintImage, UpscaleImage, DescribeImage, CutOutSubject, SwapFaces)
}
SOURCE = encode_colour("navy")
TASK_ID = "task(job_testtesttesttest)"


@pytest.fixture
async def webui(script: UpstreamScript, clock: AutoAdvanceClock) -> AsyncGenerator[SdWebuiProvider]:
    script_server(script)
    script.set_steps("/sdapi/v1/png-info", MISSING)
    provider = create_webui(script, clock)
    yield provider
    await provider.close()


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_provider_sends_the_request_and_reads_the_answer(
    pair: dict[str, Any], webui: SdWebuiProvider, script: UpstreamScript
) -> None:
    script.set_steps(pair["request"]["path"], build_response(fill_in(pair["answer"]["body"]), pair["answer"]["status"]))
    parsed = await perform(webui, pair["asked"])
    sent = [sent for sent in script.requests if sent.path == pair["request"]["path"]][-1]
    body = put_placeholders(sent.body)
    assert {"method": sent.method, "path": sent.path, "query": sent.query, "body": body} == pair["request"]
    text = parsed.pop("text", "")
    assert pair["parsed"].get("says", "") in text
    assert parsed == {name: value for name, value in pair["parsed"].items() if name != "says"}


def fill_in(body: Any) -> Any:
    """An answer with pictures for their words, and its info as the service writes it: JSON in a string."""
    filled = json.loads(json.dumps(body).replace("PICTURE", IMAGE).replace(SOURCE_BASE64, SOURCE))
    if isinstance(filled, dict) and "info" in filled:
        filled["info"] = json.dumps(filled["info"])
    return filled  # pyright: ignore[reportUnknownVariableType]  # JSON


def put_placeholders(body: Any) -> Any:
    """A body with words for its pictures, and for the id of a task that has no job here."""
    placed = json.loads(json.dumps(body).replace(SOURCE, SOURCE_BASE64))
    if isinstance(placed, dict) and "force_task_id" in placed:
        placed["force_task_id"] = TASK_ID
    return placed  # pyright: ignore[reportUnknownVariableType]  # JSON


async def perform(webui: SdWebuiProvider, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        match asked["do"]:
            case "submit":
                images = dict.fromkeys(asked.get("images", ()), SOURCE)
                done = await provider_calls.submit(webui, build_request(asked), images)
                assert isinstance(done, TaskSucceeded)
                return {"done": format_done(done)}
            case "look":
                snapshots = await webui.poll([UpstreamTask(asked["task"], "drawing")])
                return format_snapshot(snapshots[asked["task"]])
            case _:
                page = await webui.list_models(asked["kind"], base=None, offset=0, limit=20)
                names = ("id", "kind", "name", "description")
                models = [{name: getattr(model, name) for name in names} for model in page.models]
                return {"models": models, "more": page.has_more}
    except AtelierError as err:
        return {"error": type(err).__name__, "text": str(err)}


def build_request(asked: dict[str, Any]) -> Request:
    fields = dict(asked["fields"])
    advanced = fields.pop("advanced", None)
    request = REQUESTS[asked["capability"]].model_validate(fields)
    options = None if advanced is None else SdWebuiOptions.model_validate(advanced)
    return request if options is None else request.model_copy(update={"advanced": options})


def format_done(done: TaskSucceeded) -> dict[str, Any]:
    encoded = [base64.b64encode(output.data or b"").decode().replace(IMAGE, "PICTURE") for output in done.outputs]
    outputs = [{"data": data, "seed": output.seed} for data, output in zip(encoded, done.outputs, strict=True)]
    return {"outputs": outputs, "data": dict(done.data), "lost": list(done.missing_reasons)}


def format_snapshot(snapshot: TaskSnapshot) -> dict[str, Any]:
    match snapshot:
        case TaskPending():
            return {"is": "pending"}
        case TaskRunning(progress):
            return {"is": "working", "progress": progress}
        case TaskFailed(reason):
            return {"is": "refused", "error": type(reason).__name__, "text": str(reason)}
        case _:
            return {"is": "done"}
