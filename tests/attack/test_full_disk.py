"""A server whose data folder takes nothing more, for a while: it says so, sends nothing, and goes on afterwards."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.tool_result import FACTS_KEY
from tests.support.bad_gateway import SUBMITS, BadGateway, GatewayState
from tests.support.clock import WallClock
from tests.support.emulator_harness import EmulatorHarness, FakeEngine, encode_plain_image
from tests.support.stepped_clock import SteppedClock
from tests.support.stepped_server import MHAPI, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.support.bad_disks import BadDisk

if sys.platform != "linux":
    pytest.skip("limits of files, and file systems of one's own, as Linux has them", allow_module_level=True)

from tests.support.bad_disks import FilesWithoutRoom, FullDisk, ReadOnlyFolders, can_mount

BOUND_S: Final = 60.0
IMAGE: Final = "data:image/png;base64," + base64.b64encode(encode_plain_image()).decode()
KINDS: Final = (FullDisk, FilesWithoutRoom, ReadOnlyFolders)
REASONS: Final = {
    FullDisk: "disk is full",
    FilesWithoutRoom: "a file may not grow any more",
    ReadOnlyFolders: "a file or folder may not be written or read",
}
IS_FULL: Final = os.environ.get("ATTACK") == "full"


class World:
    """A server in a process of its own on a disk that can go bad, and the service that it is pointed at."""

    def __init__(self, disk: BadDisk) -> None:
        self.disk = disk
        self.engine = FakeEngine()
        self.gateway = GatewayState(SteppedClock(), pattern=SUBMITS)
        self._process: asyncio.subprocess.Process
        self._last_id = 0

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Start both, and kill the server in the end."""
        site = EmulatorHarness(EmulatorSettings(), self.engine, WallClock())
        site.emulator.app.add_middleware(BadGateway, holder=self.gateway)
        async with site:
            environ = {"ATELIER_HOME": str(self.disk.home), **MHAPI.build_environ(site.emulator.base_url)}
            pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
            self._process = await asyncio.create_subprocess_exec(
                *self.disk.command, stdin=pipe, stdout=pipe, stderr=nothing, env={**os.environ, **environ}, limit=2**24
            )
            try:
                client = {"name": "t", "version": "1"}
                await self.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client)
                yield
            finally:
                self.gateway.gate.set()
                self.engine.answer_gate.set()
                self._process.kill()
                await self._process.communicate()

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a request."""
        assert self._process.stdin
        assert self._process.stdout
        self._last_id += 1
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        async with asyncio.timeout(BOUND_S):
            while (answer := json.loads(await self._process.stdout.readline())).get("id") != self._last_id:
                pass
        return answer["result"]

    async def call(self, tool: str, **arguments: Any) -> tuple[str, bool]:
        """What a tool says, and whether that is a refusal."""
        result = await self.ask("tools/call", name=tool, arguments=arguments)
        text = "\n".join(block.get("text", "") for block in result["content"])
        assert "inside Atelier" not in text, text
        return text, result.get("isError", False)

    async def read_state(self, wait_s: int) -> str:
        """The state of the newest job, once it has ended or so much time has passed."""
        deadline_s = time.monotonic() + wait_s
        while True:
            listed = await self.ask("tools/call", name="list_jobs", arguments={"limit": 1})
            facts = listed.get("structuredContent") or listed["_meta"][FACTS_KEY]
            state = facts["jobs"][0]["state"]
            if state not in UNFINISHED or time.monotonic() > deadline_s:
                return state
            await self.ask("tools/call", name="wait_for_jobs", arguments={"wait_s": 1})

    def spoil(self) -> None:
        self.disk.spoil(self._process.pid)

    def mend(self) -> None:
        self.disk.mend(self._process.pid)

    def list_files(self) -> set[str]:
        return set(self.disk.list_files(self._process.pid)) - {"ballast"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_disk_that_takes_nothing_is_said_and_outlived(kind: type[BadDisk], tmp_path: Path) -> None:
    """One server goes through all of it, since each takes seconds to start."""
    if kind is FullDisk and not can_mount():
        pytest.skip("no file system of one's own can be mounted here")
    if kind is FilesWithoutRoom and not IS_FULL:
        pytest.skip("a full disk by another name")
    world = World(kind(tmp_path / "home"))
    async with world.run():
        await start_without_room(world)
        if kind is ReadOnlyFolders and not IS_FULL:
            return
        await save_a_image_without_room(world)
        await fill_up(world)
        await answer_a_submit_without_room(world)
        assert not [name for name in world.list_files() if ".incoming" in name]


async def start_without_room(world: World) -> None:
    """There is no ledger yet, and none can be made."""
    world.spoil()
    await refuse_calls(world)
    assert (await world.call("list_jobs"))[1], "there is no ledger to read"
    assert world.engine.calls == [], "nothing is sent that cannot be written down"
    assert {name for name in world.list_files() if not name.endswith(".lock") and "cache" not in name} == set()
    world.mend()
    assert not (await world.call("list_jobs"))[1]


async def save_a_image_without_room(world: World) -> None:
    """It is paid for: the job ends when it lies on the disk."""
    world.engine.answer_gate.clear()
    assert not (await world.call("generate_image", prompt="a kite", wait_s=0))[1]
    world.spoil()
    world.engine.answer_gate.set()
    assert await world.read_state(wait_s=5) in UNFINISHED
    words, _ = await world.call("wait_for_jobs", wait_s=1)
    assert REASONS[type(world.disk)] in words, "a job that does not get on says why"
    assert not [name for name in world.list_files() if "img_" in name or ".incoming" in name]
    world.mend()
    assert await world.read_state(wait_s=50) == "succeeded"


async def fill_up(world: World) -> None:
    """The ledger is open, and has jobs in it."""
    before, sent = world.list_files(), len(world.engine.calls)
    world.spoil()
    await refuse_calls(world)
    assert len(world.engine.calls) == sent, "nothing is sent that cannot be written down"
    assert not (await world.call("list_jobs"))[1], "what is there can be read"
    assert world.list_files() <= before
    world.mend()
    assert not (await world.call("import_image", image=IMAGE))[1]


async def answer_a_submit_without_room(world: World) -> None:
    """The disk fills up between a request and its answer, which is written down once there is room."""
    sent = len(world.engine.calls)
    world.gateway.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(world.call("generate_image", prompt="another kite", wait_s=30), name="call")
        await asyncio.wait_for(world.gateway.is_holding.wait(), BOUND_S)
        world.spoil()
        world.gateway.gate.set()
        await asyncio.wait({asked}, timeout=2)
        world.mend()
    words, is_refusal = asked.result()
    assert not is_refusal, words
    assert await world.read_state(wait_s=50) == "succeeded"
    assert len(world.engine.calls) == sent + 1, "it was sent once"


async def refuse_calls(world: World) -> None:
    """Whatever has to be written down is refused in one sentence and a hint, each time anew."""
    for _ in range(2):
        for tool, arguments in (
            ("generate_image", {"prompt": "no kite", "wait_s": 1}),
            ("import_image", {"image": IMAGE}),
        ):
            words, is_refusal = await world.call(tool, **arguments)
            assert is_refusal, words
            assert len(words.splitlines()) <= 3
            assert str(world.disk.home) not in words
