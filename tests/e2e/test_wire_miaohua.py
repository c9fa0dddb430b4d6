"""Everything Miaohua takes is sent through an MCP client: each call and parameter of its contract, but those below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from atelier_mcp.server.emulator.accounts import DEMO_EMAIL, DEMO_PASSWORD
from tests.support.emulator_harness import BOUND_S, encode_plain_image
from tests.support.tool_results import get_structured
from tests.support.wire_coverage import check_coverage, read_whole_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import mcp_types as types
    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]

NEVER_SENT: Final = {
    "task_submit/model_name": "deprecated: a model is named by its version id",
    "task_submit/controlnet_model": "deprecated: controls are sent in cn_configs",
    "task_submit/callback_url": "what is posted there is not documented, so that tasks are asked about",
    "models_base/query": "the list is read whole and searched here, by id and by name",
    "models_lora/query": "the list is read whole and searched here, by id and by name",
    "train_submit/nsfw": "deprecated, and the reference contradicts itself about its meaning",
}
MODEL_KINDS: Final = ("checkpoint", "lora", "trained_lora", "controlnet", "training_base", "form")


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """Miaohua alone, with every tool and a threshold of its own for finished pictures."""
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "MIAOHUA_EMAIL": DEMO_EMAIL,
        "MIAOHUA_PASSWORD": DEMO_PASSWORD,
        "MIAOHUA_BASE_URL": f"{site.emulator.base_url}/miaohua/api/v1b",
        "MIAOHUA_SENSITIVE_LIMIT": "0.5",
    }


def save_image(tmp_path: Path, colour: str) -> str:
    """The path of a local picture of one colour."""
    path = tmp_path / f"{colour}.png"
    path.write_bytes(encode_plain_image(colour=colour))
    return str(path)


@pytest.mark.wire_coverage
async def test_every_call_and_parameter_of_miaohua_is_sent(
    call: Call, new_client: NewClient, site: EmulatorHarness, engine: FakeEngine, tmp_path: Path
) -> None:
    for kind in MODEL_KINDS:
        get_structured(await call("list_models", kind=kind))
    get_structured(await call("list_models", kind="controlnet", base="sgl_artist_v0.3.5"))
    async with anyio.create_task_group() as group:
        for drive in (_generate, _extend, _describe, _train):
            group.start_soon(drive, call, tmp_path)
    await _ask_about_two_tasks_at_once(call, engine, tmp_path / "access.jsonl")
    await _meet_an_older_service(new_client, site, tmp_path)
    entries = await read_whole_log(site, tmp_path / "access.jsonl")
    check_coverage("miaohua", entries, exceptions=NEVER_SENT)


async def _generate(call: Call, tmp_path: Path) -> None:
    """Every argument there is."""
    image = save_image(tmp_path, "brown")
    canny = {"type": "canny", "image": image, "weight": 0.5, "start": 0.1, "end": 0.9, "pre_processor": "invert"}
    arguments: dict[str, Any] = {
        "prompt": "a cup", "negative_prompt": "rain", "image": image, "strength": 0.4, "width": 960, "height": 640,
        "samples": 2, "seed": 5, "model": "sgl_artist_v0.3.5", "steps": 20, "guidance": 5, "enhance_prompt": True,
        "controls": [{**canny, "canny_low": 50, "canny_high": 150}, {"type": "tile", "image": image, "tile_rate": 2}],
        "loras": [{"model": "Ink", "weight": 0.7}],
    }  # fmt: skip
    assert get_structured(await call("generate_image", **arguments))["state"] == "succeeded"


async def _extend(call: Call, tmp_path: Path) -> None:
    arguments = {"image": save_image(tmp_path, "teal"), "scale": 1.5, "position": "topleft", "samples": 1}
    assert get_structured(await call("outpaint_image", **arguments))["state"] == "succeeded"


async def _describe(call: Call, tmp_path: Path) -> None:
    described = await call("describe_image", image=save_image(tmp_path, "gold"))
    assert get_structured(described)["state"] == "succeeded"


async def _train(call: Call, tmp_path: Path) -> None:
    """A data set is made, filled, thinned out and trained on, with every argument of the five tools."""
    red, green, blue = (save_image(tmp_path, colour) for colour in ("red", "green", "blue"))
    created = await call("create_dataset", name="colours", description="plain", images=[red, green])
    number = get_structured(created)["dataset_id"]
    get_structured(await call("add_dataset_images", dataset_id=number, images=[blue]))
    get_structured(await call("list_datasets", page=1))
    (dataset,) = get_structured(await call("list_datasets", dataset_id=number))["datasets"]
    get_structured(
        await call(
            "remove_dataset_images", dataset_id=number, images=[image["name"] for image in dataset["images"][:1]]
        )
    )
    trained = await call(
        "train_lora", name="my colours", description="plain", trigger="plaincol", subject="human",
        base="sgl_artist_v0.3.5", dataset_ids=[number], images=[red],
    )  # fmt: skip
    assert get_structured(trained)["data"]["model"]


async def _ask_about_two_tasks_at_once(call: Call, engine: FakeEngine, log: Path) -> None:
    """Tasks under way at the same time are asked about in one call."""
    engine.answer_gate.clear()
    started = [await call("generate_image", prompt=f"cup {number}", wait_s=0) for number in (1, 2)]
    with anyio.fail_after(BOUND_S):
        while '"path": "/api/v1b/task_results"' not in log.read_text("utf-8"):
            await anyio.sleep(0.02)
    engine.answer_gate.set()
    job_ids = [get_structured(result)["job_id"] for result in started]
    jobs = get_structured(await call("wait_for_jobs", job_ids=job_ids, wait_s=BOUND_S))["jobs"]
    assert {job["state"] for job in jobs} == {"succeeded"}


async def _meet_an_older_service(new_client: NewClient, site: EmulatorHarness, tmp_path: Path) -> None:
    """It has no upload of several, and none of the newer list of controls, and wants tokens among the files."""
    for path in ("*/upload_imgs", "*/cn/list"):
        fault = {"kind": "status", "status": 404, "path": path, "times": 1000}
        await site.call_control("POST", "/faults", fault)
    image = save_image(tmp_path, "olive")
    async with new_client() as client:
        for base in ("sgl_artist_v0.3.5", "open_painter_v1"):
            listed = await client.call_tool("list_models", {"kind": "controlnet", "base": base})
            assert get_structured(listed)["models"]
        drawn = await client.call_tool("generate_image", {"prompt": "a cup", "image": image})
        assert get_structured(drawn)["state"] == "succeeded"
        await site.call_control("PATCH", "/settings", {"miaohua": {"token_in_files": True}})
        described = await client.call_tool("describe_image", {"image": save_image(tmp_path, "navy")})
        assert get_structured(described)["state"] == "succeeded"
    await site.call_control("DELETE", "/faults")
    async with new_client() as client:
        described = await client.call_tool("describe_image", {"image": save_image(tmp_path, "pink")})
        assert get_structured(described)["state"] == "succeeded"
