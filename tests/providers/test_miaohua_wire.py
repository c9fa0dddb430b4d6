"""The Miaohua provider sends exactly what the golden pairs say and reads what they answer."""

from __future__ import annotations

import re
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
from atelier_mcp.server.requests.datasets import AddDatasetImages, CreateDataset, ListDatasets, RemoveDatasetImages
from atelier_mcp.server.requests.edit import OutpaintImage
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.requests.understand import DescribeImage
from atelier_mcp.server.testing import provider_calls
from tests.support.miaohua_script import EMAIL, JPEG_MAGIC, PASSWORD, add_default_steps, encode_linked_image
from tests.support.upstream_script import UpstreamScript, build_response
from tests.support.wire_pairs import format_name, load_pairs

if TYPE_CHECKING:
    from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider
    from atelier_mcp.server.requests.base import Request

PAIRS = load_pairs("miaohua", side="client")
REQUESTS: dict[str, type[Request]] = {
    kind.capability: kind
    for kind in (
        GenerateImage, OutpaintImage, DescribeImage, TrainLora, CreateDataset, ListDatasets, AddDatasetImages,
        RemoveDatasetImages,
    )
}  # fmt: skip
ENDPOINTS = {
    "get_token", "task_submit", "task_result", "task_results", "img2txt", "get_generation_form", "models_base",
    "models_lora", "models_private", "cn_artist", "cn_opensource", "cn_list", "upload_img", "upload_imgs", "dataset",
    "dataset_all", "dataset_add_images", "dataset_delete_images", "train_submit", "train_progress", "get_train_form",
}  # fmt: skip
"""Every endpoint of the contract."""
NEEDLESS = {"upload_img"}
"""Its sample posts to upload_imgs, which does the same (contract: upload_img.single_sample_url)."""
WITHOUT_TOKEN = {"get_token", "get_generation_form", "get_train_form"}


def test_every_endpoint_of_the_contract_has_a_pair_for_client_and_emulator() -> None:
    assert len(ENDPOINTS) == 21
    assert {pair["id"] for pair in PAIRS} == ENDPOINTS - NEEDLESS
    assert {pair["id"] for pair in load_pairs("miaohua", side="emulator")} == ENDPOINTS


def test_every_pair_that_follows_another_names_one() -> None:
    named = {format_name(pair) for pair in load_pairs("miaohua", side="emulator")}
    assert {pair["after"] for pair in PAIRS if "after" in pair} <= named


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_provider_sends_the_request_and_reads_the_answer(
    pair: dict[str, Any], miaohua: MiaohuaProvider, script: UpstreamScript
) -> None:
    add_default_steps(script)
    script.set_steps(pair["request"]["path"], build_response(pair["answer"]["body"], pair["answer"]["status"]))
    parsed = await _perform(miaohua, pair["asked"])
    (sent,) = [sent for sent in script.requests if sent.path == pair["request"]["path"]]
    body = _add_placeholders(sent.body)
    request = {"method": sent.method, "path": sent.path, "query": sent.query, "body": body}
    if "form" in pair["request"]:
        request["form"] = [name.decode() for name in re.findall(rb'form-data; name="(\w+)"', sent.content)]
        assert sent.headers["authorization"] == "Bearer TOKEN"
    assert request == pair["request"]
    assert _drop_text(parsed, pair["parsed"]) == pair["parsed"]


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
def test_every_call_but_the_public_ones_carries_the_token(pair: dict[str, Any]) -> None:
    body: dict[str, Any] = pair["request"]["body"] or {}
    by_body = body.get("token") == "TOKEN"
    assert by_body != (pair["id"] in WITHOUT_TOKEN or "form" in pair["request"])


async def _perform(miaohua: MiaohuaProvider, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        match asked["do"]:
            case "log_in":
                return {"token": await miaohua.token_cache.get_token()}
            case "upload":
                return {"link": await miaohua.upload(JPEG_MAGIC, asked["media_type"])}
            case "submit":
                return _format_submit_result(
                    await provider_calls.submit(
                        miaohua, _build_request(asked), _build_images(asked), lambda share, word: None
                    )
                )
            case "answer":
                return dict(await provider_calls.execute(miaohua, _build_request(asked), _build_images(asked)))
            case "look":
                tasks = [UpstreamTask(task, asked["kind"]) for task in asked["tasks"]]
                return {task: _format_snapshot(snapshot) for task, snapshot in (await miaohua.poll(tasks)).items()}
            case _:
                return await _list_models(miaohua, asked)
    except AtelierError as err:
        return {"error": type(err).__name__, "text": str(err)}


async def _list_models(miaohua: MiaohuaProvider, asked: dict[str, Any]) -> dict[str, Any]:
    page = await miaohua.list_models(asked["kind"], base=asked["base"], offset=asked["offset"], limit=asked["limit"])
    names = ("id", "kind", "name", "description", "base", "triggers")
    return {"models": [{name: getattr(m, name) for name in names} for m in page.models], "more": page.has_more}


def _build_request(asked: dict[str, Any]) -> Request:
    return REQUESTS[asked["capability"]].model_validate(asked["fields"])


def _build_images(asked: dict[str, Any]) -> dict[str, str]:
    return {place: encode_linked_image(link) for place, link in asked["links"].items()}


def _add_placeholders(body: Any) -> Any:
    if not isinstance(body, dict):
        return body
    own = {EMAIL: "EMAIL", PASSWORD: "PASSWORD"}
    fields = cast("dict[str, Any]", body)
    return {name: own.get(value, value) if isinstance(value, str) else value for name, value in fields.items()}


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
            images = [{"url": output.url, "seed": output.seed} for output in outputs]
            return {"is": "done", "outputs": images, "data": dict(data), "lost": list(lost)}
        case TaskFailed(reason):
            return {"is": "refused", "error": type(reason).__name__, "text": str(reason)}
        case TaskLost(reason):
            return {"is": "lost", "error": type(reason).__name__, "text": str(reason)}


def _drop_text(parsed: Any, expected: Any) -> Any:
    """The parsed answer with an error's text cut down to what ``says`` expects of it, and dropped where nothing."""
    if not isinstance(parsed, dict) or not isinstance(expected, dict):
        return cast("Any", parsed)
    known, wanted = cast("dict[str, Any]", parsed), cast("dict[str, Any]", expected)
    if "text" not in known or "error" not in known:
        return {name: _drop_text(value, wanted.get(name)) for name, value in known.items()}
    kept = {name: value for name, value in known.items() if name != "text"}
    if "says" in wanted:
        kept["says"] = wanted["says"] if wanted["says"] in known["text"] else known["text"]
    return kept
