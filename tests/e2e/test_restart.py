"""What is paid for survives the server: kill it at any point, start another, and the picture comes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.server_process import spawn_server
from tests.support.tool_results import get_structured, list_submits

if TYPE_CHECKING:
    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

BOUND_S = 20.0


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
async def test_a_job_paid_for_before_a_kill_is_finished_by_the_next_server(
    environ: dict[str, str], site: EmulatorHarness, engine: FakeEngine, tmp_path: Path
) -> None:
    """The ledger, not memory, is what the poller resumes from; the emulator sees exactly one submit."""
    engine.answer_gate.clear()
    pid_file = tmp_path / "pid"
    job_id = ""
    try:
        async with asyncio.timeout(BOUND_S), spawn_server(environ, pid_file=pid_file) as client:
            started = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 2}))
            job_id = started["job_id"]
            assert started["state"] in {"queued", "running"}
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except BaseExceptionGroup:
        assert job_id, "the server was killed on purpose, but only after it had answered"
    engine.answer_gate.set()
    async with asyncio.timeout(BOUND_S), spawn_server(environ) as client:
        (job,) = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [job_id]}))["jobs"]
    assert job["state"] == "succeeded"
    assert Path(job["images"][0]["path"]).is_file()
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
async def test_an_unfinished_job_is_taken_up_before_anybody_asks(
    environ: dict[str, str], site: EmulatorHarness, engine: FakeEngine, tmp_path: Path
) -> None:
    """Links expire: the next server fetches the picture by itself."""
    engine.answer_gate.clear()
    pid_file = tmp_path / "pid"
    try:
        async with asyncio.timeout(BOUND_S), spawn_server(environ, pid_file=pid_file) as client:
            get_structured(await client.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 1}))
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except BaseExceptionGroup:
        pass
    engine.answer_gate.set()
    async with asyncio.timeout(BOUND_S), spawn_server(environ):
        while not list((tmp_path / "home" / "images").rglob("*.jpg")):
            await asyncio.sleep(0.05)


async def test_two_servers_share_a_folder_and_a_job(
    environ: dict[str, str], site: EmulatorHarness, tmp_path: Path
) -> None:
    """Every window of an editor starts its own server on the same folder."""
    async with asyncio.timeout(BOUND_S), spawn_server(environ) as one, spawn_server(environ) as other:
        started = get_structured(await one.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 0}))
        (job,) = get_structured(await other.call_tool("wait_for_jobs", {"job_ids": [started["job_id"]]}))["jobs"]
    assert job["state"] == "succeeded"
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_both_eras_of_the_protocol_are_served_over_stdio(
    environ: dict[str, str], site: EmulatorHarness, mode: str
) -> None:
    """2026-07-28 and 2025-11-25, by the SDK's own client."""
    async with asyncio.timeout(BOUND_S), spawn_server(environ, mode=mode) as client:
        assert "generate_image" in {tool.name for tool in (await client.list_tools()).tools}
        assert (
            get_structured(await client.call_tool("generate_image", {"prompt": "a red kite"}))["state"] == "succeeded"
        )


async def test_a_server_leaves_with_its_client_and_says_nothing_on_stdout(environ: dict[str, str]) -> None:
    """No server is left running after its client went."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "atelier_mcp.server",
        "serve",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environ},
    )
    out, _ = await asyncio.wait_for(process.communicate(b""), BOUND_S)
    assert out == b""
    assert process.returncode == 0
