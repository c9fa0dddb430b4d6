"""A job at ComfyUI outlives our process, killed at the worst moment: it is found by its id, and never sent twice."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.server_process import spawn_server
from tests.support.tool_results import get_structured, read_access_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

BOUND_S = 30.0


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """A ComfyUI."""
    return {"ATELIER_HOME": str(tmp_path / "home"), "COMFYUI_URL": f"{site.emulator.base_url}/comfyui"}


def count_submits(tmp_path: Path) -> int:
    """How often a workflow was sent."""
    entries = read_access_log(tmp_path / "access.jsonl")
    return len([entry for entry in entries if (entry["method"], entry["path"]) == ("POST", "/prompt")])


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
async def test_a_kill_between_submit_and_answer_loses_nothing_and_sends_nothing_twice(
    environ: dict[str, str], site: EmulatorHarness, tmp_path: Path
) -> None:
    """ComfyUI has the job and its answer never comes: the next server asks by the id that was written down."""
    # The workflow is queued at once; what says so is held back until long after the kill.
    held_back = {"kind": "slow", "delay_s": 600, "path": "/prompt", "method": "POST"}
    await site.call_control("POST", "/faults", held_back)
    pid_file = tmp_path / "pid"
    try:
        async with asyncio.timeout(BOUND_S), spawn_server(environ, pid_file=pid_file) as client:
            drawing = asyncio.create_task(client.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 20}))
            while not (await site.client.get("/comfyui/history")).json():
                await asyncio.sleep(0.02)
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
            await drawing
    except Exception:  # noqa: BLE001  # a killed server breaks its client in some way
        pass
    async with asyncio.timeout(BOUND_S), spawn_server(environ) as client:
        (job,) = get_structured(await client.call_tool("list_jobs", {}))["jobs"]
        (found,) = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [job["job_id"]]}))["jobs"]
    assert found["state"] == "succeeded"
    assert len(found["images"]) == 1
    history = (await site.client.get("/comfyui/history")).json()
    assert len(history) == 1


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
async def test_a_queued_job_is_finished_by_the_next_server(
    environ: dict[str, str], site: EmulatorHarness, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.answer_gate.clear()
    pid_file = tmp_path / "pid"
    job_id = ""
    try:
        async with asyncio.timeout(BOUND_S), spawn_server(environ, pid_file=pid_file) as client:
            begun = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 1}))
            job_id = begun["job_id"]
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except BaseExceptionGroup:
        assert job_id
    engine.answer_gate.set()
    async with asyncio.timeout(BOUND_S), spawn_server(environ) as client:
        (job,) = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [job_id]}))["jobs"]
    assert job["state"] == "succeeded"
    assert count_submits(tmp_path) == 1
