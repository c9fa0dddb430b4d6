"""The MHAPI provider sends exactly what the golden pairs say and reads what they answer."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

import pytest

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.base import (
    SubmitAnswer,
    TaskFailed,
    TaskLost,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import (
    CutOutSubject,
    EraseObject,
    InpaintImage,
    OutpaintImage,
    StylizeImage,
    UpscaleImage,
)
from atelier_mcp.server.requests.faces import DetectFaces, SwapFaces
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.testing import provider_calls
from tests.support.upstream_script import UpstreamScript, build_response
from tests.support.wire_pairs import format_name, load_pairs

if TYPE_CHECKING:
    from atelier_mcp.server.images.exchange import OutputImage
    from atelier_mcp.server.providers.mhapi.provider import MhapiProvider
    from atelier_mcp.server.requests.base import Request

PAIRS = load_pairs("mhapi", side="client")
REQUESTS: dict[str, type[Request]] = {
    kind.capability: kind
    for kind in (
        GenerateImage, InpaintImage, EraseObject, CutOutSubject, OutpaintImage, UpscaleImage,
        StylizeImage, DetectFaces, SwapFaces, TrainLora,
    )
}  # fmt: skip
IMAGE_SERVICES = ("imgenstd", "erase", "outpaint", "stylization", "inpaint", "sup_res", "split")
ENDPOINTS = {
    *(f"{service}.{call}" for service in IMAGE_SERVICES for call in ("models", "imgen", "result", "results")),
    "imgenstd.model_cn", "erase.cutout", "outpaint.imgen_free", "stylization.imgen_sync",
    "face.models", "face.detect", "face.detect_result", "face.imggen", "face.imggen_result", "face.imggen_sync",
    "lora.models", "lora.train", "lora.result", "lora.results", "lora.cancel",
}  # fmt: skip
"""Every endpoint of the contract."""


def test_every_endpoint_of_the_contract_has_a_pair_for_client_and_emulator() -> None:
    assert len(ENDPOINTS) == 43
    assert {pair["id"] for pair in PAIRS} == ENDPOINTS
    assert {pair["id"] for pair in load_pairs("mhapi", side="emulator")} == ENDPOINTS


def test_every_pair_about_a_task_names_a_submit_that_makes_one() -> None:
    submits = {format_name(pair) for pair in PAIRS if pair["asked"]["do"] == "submit"}
    assert {pair["after"] for pair in PAIRS if "after" in pair} <= submits


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_provider_sends_the_request_and_reads_the_answer(
    pair: dict[str, Any], mhapi: MhapiProvider, script: UpstreamScript
) -> None:
    script.set_steps(pair["request"]["path"], build_response(pair["answer"]["body"], pair["answer"]["status"]))
    parsed = await _perform(mhapi, pair["asked"])
    (sent,) = script.requests
    assert {"method": sent.method, "path": sent.path, "query": sent.query, "body": sent.body} == pair["request"]
    assert sent.headers["authorization"].startswith("Bearer ")
    assert sent.headers["content-type"] == "application/json"
    assert _drop_text(parsed, pair["parsed"]) == pair["parsed"]


async def _perform(mhapi: MhapiProvider, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        match asked["do"]:
            case "submit":
                return _format_submit_result(await _submit(mhapi, asked))
            case "look":
                tasks = [UpstreamTask(task, asked["kind"]) for task in asked["tasks"]]
                return {task: _format_snapshot(snapshot) for task, snapshot in (await mhapi.poll(tasks)).items()}
            case "cancel":
                return {"cancelled": await mhapi.cancel(UpstreamTask(asked["task"], asked["kind"]))}
            case _:
                page = await mhapi.list_models(
                    asked["kind"], base=asked["base"], offset=asked["offset"], limit=asked["limit"]
                )
                names = ("id", "kind", "name", "description", "base", "triggers")
                models = [{name: getattr(model, name) for name in names} for model in page.models]
                return {"models": models, "more": page.has_more}
    except AtelierError as err:
        return {"error": type(err).__name__, "text": str(err)}


async def _submit(mhapi: MhapiProvider, asked: dict[str, Any]) -> SubmitAnswer:
    request = REQUESTS[asked["capability"]].model_validate(asked["fields"])
    return await provider_calls.submit(mhapi, request, asked["links"])


def _format_submit_result(result: SubmitAnswer) -> dict[str, Any]:
    if isinstance(result, UpstreamTask):
        return {"task": {"id": result.id, "kind": result.kind}}
    return {"done": _format_snapshot(result)}


def _format_snapshot(snapshot: TaskSnapshot) -> dict[str, Any]:
    match snapshot:
        case TaskPending():
            return {"is": "pending"}
        case TaskRunning(progress, note):
            return {"is": "working", "progress": progress, "note": note}
        case TaskSucceeded(outputs, data, lost):
            return {
                "is": "done",
                "outputs": [_format_output(o) for o in outputs],
                "data": dict(data),
                "lost": list(lost),
            }
        case TaskFailed(reason):
            return {"is": "refused", "error": type(reason).__name__, "text": str(reason)}
        case TaskLost(reason):
            return {"is": "lost", "error": type(reason).__name__, "text": str(reason)}


def _format_output(output: OutputImage) -> dict[str, Any]:
    if output.data is not None:
        return {"data_base64": base64.b64encode(output.data).decode(), "seed": output.seed}
    return {"url": output.url, "seed": output.seed}


def _drop_text(parsed: Any, expected: Any) -> Any:
    """The parsed answer with an error's text cut down to what ``says`` expects of it, and dropped where nothing."""
    if not isinstance(parsed, dict) or not isinstance(expected, dict):
        return cast("Any", parsed)
    known, wanted = cast("dict[str, Any]", parsed), cast("dict[str, Any]", expected)
    kept = {name: _drop_text(value, wanted.get(name)) for name, value in known.items() if name != "text"}
    if "says" in wanted:
        kept["says"] = wanted["says"] if wanted["says"] in known.get("text", "") else known.get("text")
    return kept
