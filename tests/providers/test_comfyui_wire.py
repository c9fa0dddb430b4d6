"""The ComfyUI provider sends exactly what the golden pairs say and reads what they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.base import TaskFailed, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.comfyui.options import ComfyuiOptions
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.operation import NamedJobOperation
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.testing.provider_calls import ignore_progress
from tests.support.comfyui_script import PNG, PROMPT_ID, TASK, make_provider
from tests.support.upstream_script import build_response
from tests.support.wire_pairs import format_name, load_pairs

if TYPE_CHECKING:
    from atelier_mcp.server.providers.comfyui.provider import ComfyuiProvider
    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import UpstreamScript

PAIRS = load_pairs("comfyui", side="client")
EMPTY_QUEUE = build_response({"queue_running": [], "queue_pending": []})


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_provider_sends_the_request_and_reads_the_answer(
    pair: dict[str, Any], script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    request, answer = pair["request"], pair["answer"]
    script.set_steps("/queue", EMPTY_QUEUE)
    script.set_steps("/view", httpx2.Response(200, content=PNG))
    script.set_steps(request["path"], build_response(answer["body"], answer["status"]))
    comfyui = make_provider(script, clock)
    parsed = await ask(comfyui, pair["asked"])
    await comfyui.close()
    (sent,) = [one for one in script.requests if one.path == request["path"]]
    assert {"method": sent.method, "path": sent.path, "query": sent.query, "body": sent.body} == request
    expected = dict(pair["parsed"])
    assert expected.pop("says", "") in parsed.pop("says", "")
    assert parsed == expected


async def ask(comfyui: ComfyuiProvider, asking: dict[str, Any]) -> dict[str, Any]:
    """What the provider makes of the answer."""
    match asking["do"]:
        case "submit":
            return await submit(comfyui, asking["fields"])
        case "look":
            return describe_snapshot((await comfyui.poll([TASK]))[PROMPT_ID])
        case _:
            page = await comfyui.list_models(asking["kind"], base=None, offset=0, limit=100)
            return {"ids": [model.id for model in page.models]}


async def submit(comfyui: ComfyuiProvider, fields: dict[str, Any]) -> dict[str, Any]:
    options = ComfyuiOptions.model_validate(fields["advanced"])
    request = GenerateImage.model_validate({**fields, "advanced": None}).model_copy(update={"advanced": options})
    operation = comfyui.operations["generate_image"]
    assert isinstance(operation, NamedJobOperation)
    try:
        with raise_rejection_errors():
            task = await operation.submit_as(TASK, request, {}, ignore_progress)
    except AtelierError as error:
        return {"error": type(error).__name__, "says": str(error)}
    assert isinstance(task, UpstreamTask)
    return {"task": {"id": task.id, "kind": task.kind}}


def describe_snapshot(snapshot: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"state": type(snapshot).__name__}
    match snapshot:
        case TaskSucceeded(outputs=outputs):
            return {**described, "seeds": [output.seed for output in outputs]}
        case TaskFailed(reason):
            return {**described, "says": str(reason)}
        case _:
            return described
