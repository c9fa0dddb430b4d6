"""Everything ComfyUI takes of us is sent through an MCP client and the doctor; what is left out has its reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.comfyui_workflows import write_workflow
from tests.support.commands import run_atelier
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_structured
from tests.support.wire_coverage import check_coverage, read_whole_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import mcp_types as types

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]

NEVER_SENT: Final = {
    "prompt.post/number": "a place among other people's jobs is not ours to choose; the front is asked for by name",
    "prompt.post/partial_execution_targets": "every output of our workflows is wanted",
    "queue_post/clear": "other people's jobs are in the queue, too",
    "history.list/offset": "the newest entries are looked at, and older ones by their id",
    "history.post": "the history is the user's",
    "upload.mask": "a mask is a picture of its own for LoadImageMask",
    "view/preview": "the whole picture is wanted",
    "view/channel": "the whole picture is wanted",
    "free": "what is in memory is the user's affair",
    "jobs.one": "queue and history say the same, on servers of every year",
    "jobs.list": "as jobs.one",
    "jobs.cancel": "as jobs.one: queue and interrupt do it on servers of every year",
}


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """A ComfyUI with a workflow that somebody pays for."""
    graph = {
        "1": {"class_type": "FluxProImageNode", "inputs": {"prompt": "x", "seed": 1, "width": 64, "height": 64}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    write_workflow(tmp_path / "workflows", "bought", graph)
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "COMFYUI_URL": f"{site.emulator.base_url}/comfyui",
        "COMFYUI_PARTNER_KEY": "comfyui-partner-key",
        "COMFYUI_WORKFLOWS": str(tmp_path / "workflows"),
    }


@pytest.mark.wire_coverage
async def test_all_of_comfyui_that_is_ours_to_send_is_sent(
    call: Call, site: EmulatorHarness, engine: FakeEngine, environ: dict[str, str], tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(encode_plain_image(320, 256))
    marked = [{"type": "box", "points": [20, 30, 120, 130]}]
    await call("inpaint_image", image=str(photo), shapes=marked, prompt="a hat")
    await call("generate_image", prompt="x", workflow="bought", provider="comfyui")
    assert get_structured(await call("list_models", kind=["embedding"]))["models"]
    engine.answer_gate.clear()
    jobs = [
        get_structured(await call("generate_image", prompt=f"kite {n}", advanced={"first": True}, wait_s=0))["job_id"]
        for n in range(3)
    ]
    await call("wait_for_jobs", job_ids=jobs, wait_s=1)
    # The last that came is the first of those that wait; the first one runs.
    for job_id in jobs[:2]:
        await call("cancel_jobs", job_ids=[job_id])
    engine.answer_gate.set()
    (last,) = get_structured(await call("wait_for_jobs", job_ids=[jobs[2]]))["jobs"]
    assert last["state"] == "succeeded"
    many = [get_structured(await call("generate_image", prompt=f"boat {n}", wait_s=0))["job_id"] for n in range(6)]
    await call("wait_for_jobs", job_ids=many)
    code, out, _ = await run_atelier("doctor", "--json", environ=environ)
    assert code == 0, json.loads(out)
    entries = await read_whole_log(site, tmp_path / "access.jsonl")
    check_coverage("comfyui", entries, exceptions=NEVER_SENT)
    assert "comfyui-partner-key" not in str(await read_history(site))


async def read_history(site: EmulatorHarness) -> Any:
    """What the server keeps."""
    return (await site.client.get("/comfyui/history")).json()
