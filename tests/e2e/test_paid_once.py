"""A server killed between a submit and its answer, at every service that is paid for a job: it is paid for once.

The services whose answer can be found again or that cost nothing have tests of their own beside their other stories;
faults of the network and of the services are in ``tests/faults``.
"""

from __future__ import annotations

import asyncio
import fnmatch
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.emulator_harness import BOUND_S
from tests.support.server_process import spawn_server
from tests.support.service_jobs import CARD_SERVICES
from tests.support.tool_results import get_structured, read_access_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.emulator_harness import EmulatorHarness
    from tests.support.service_jobs import ServiceJob


@pytest.fixture(params=CARD_SERVICES, ids=lambda service: service.name)
def service(request: pytest.FixtureRequest) -> ServiceJob:
    return request.param


@pytest.fixture
def environ(service: ServiceJob, site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """This service alone."""
    settings = {name: value.format(base=site.emulator.base_url) for name, value in service.settings.items()}
    return {"ATELIER_HOME": str(tmp_path / "home"), "ATELIER_TOOLSETS": "all", **settings}


def count_submits(service: ServiceJob, tmp_path: Path) -> int:
    """How many submits arrived."""
    entries = read_access_log(tmp_path / "access.jsonl")
    return sum(
        entry["method"] != "GET" and fnmatch.fnmatchcase(entry["path"], service.submit_path) for entry in entries
    )


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
async def test_a_kill_between_submit_and_answer_sends_nothing_again(
    service: ServiceJob, environ: dict[str, str], site: EmulatorHarness, tmp_path: Path
) -> None:
    pid_file, job_id = tmp_path / "pid", ""
    slow = {"kind": "slow", "delay_s": 3600, "path": service.submit_path}
    try:
        async with asyncio.timeout(BOUND_S), spawn_server(environ, pid_file=pid_file) as client:
            if service.preparation:
                await client.call_tool(*service.preparation)
            await site.call_control("POST", "/faults", slow)
            begun = await client.call_tool(service.tool, {**service.arguments, "wait_s": 0})
            job_id = get_structured(begun)["job_id"]
            while await site.call_control("GET", "/faults"):
                await asyncio.sleep(0.02)
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except BaseExceptionGroup:
        assert job_id, "the server was killed on purpose, but only after it had answered"
    async with asyncio.timeout(BOUND_S), spawn_server(environ) as client:
        (job,) = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [job_id]}))["jobs"]
    assert job["state"] == "unconfirmed"
    assert count_submits(service, tmp_path) <= 1
