"""An attacker with pictures: hands them to a server's tools, and counts what that took and what got through."""

from __future__ import annotations

import base64
import os
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.tool_results import get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable, Mapping

    import mcp_types as types

READERS: Final[Mapping[str, dict[str, Any]]] = {
    "view_image": {},
    "import_image": {},
    "transform_image": {"rotate": 90, "width": 64},
    "make_mask": {"shapes": [{"type": "box", "points": [1, 1, 9, 9]}]},
    "compose_images": {"width": 64, "height": 64},
}
"""The tools that read a picture by themselves, with what else they are asked."""
IS_FULL: Final = os.environ.get("ATTACK") == "full"
"""Whether the long form is wanted, which takes minutes."""


class MemoryWatch:
    """The most memory that this process has taken more, together with all that it has started; 0 where unknown."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._stop_requested = threading.Event()

    @contextmanager
    def run(self) -> Generator[MemoryWatch]:
        """Look every few milliseconds as long as the context lasts."""
        if sys.platform != "linux":
            yield self
            return
        before = _sum_memory()
        thread = threading.Thread(target=self._sample, args=(before,))
        thread.start()
        try:
            yield self
        finally:
            self._stop_requested.set()
            thread.join()

    def _sample(self, before: int) -> None:
        while not self._stop_requested.wait(0.005):
            self.peak_bytes = max(self.peak_bytes, _sum_memory() - before)


class ImageAttack:
    """A client of a server that hands pictures over as data URLs; ``format_counts`` is what came of it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.attempts = 0
        self.breaches: list[str] = []
        self._worst_memory = (0, "")
        self._worst_time = (0.0, "")

    async def call(self, tool: str, data: bytes, **more: Any) -> types.CallToolResult:
        """What a tool answers to a picture."""
        reference = "data:image/png;base64," + base64.b64encode(data).decode()
        images = {"layers": [{"image": reference}]} if tool == "compose_images" else {"image": reference}
        return await self.client.call_tool(tool, images | READERS[tool] | more)

    async def hand_over(
        self, name: str, data: bytes, *, most_bytes: int, most_s: float, tools: Iterable[str] = tuple(READERS)
    ) -> list[str]:
        """What each tool says to a picture; a breach where that takes more, or is an incident."""
        words: list[str] = []
        for tool in tools:
            with MemoryWatch().run() as memory:
                started_s = time.monotonic()
                result = await self.call(tool, data)
                taken_s = time.monotonic() - started_s
            words.append(get_text(result))
            self.count(f"{name} in {tool}", memory.peak_bytes, taken_s)
            if "incident" in words[-1] or memory.peak_bytes > most_bytes or taken_s > most_s:
                self.breaches.append(
                    f"{name} in {tool}: {memory.peak_bytes / 1e6:.0f} MB, {taken_s:.1f} s: {words[-1]}"
                )
        return words

    def count(self, name: str, peak_bytes: int, taken_s: float) -> None:
        """Note what an attempt took."""
        self.attempts += 1
        self._worst_memory = max(self._worst_memory, (peak_bytes, name))
        self._worst_time = max(self._worst_time, (taken_s, name))

    def format_counts(self) -> str:
        """Attempts, breaches, and the worst of them."""
        memory, time_s = self._worst_memory, self._worst_time
        return (
            f"{self.attempts} attempts, {len(self.breaches)} got through; most memory {memory[0] / 1e6:.0f} MB "
            f"({memory[1]}), longest {time_s[0]:.1f} s ({time_s[1]})"
        )


@asynccontextmanager
async def open_image_attack(folder: Path) -> AsyncGenerator[ImageAttack]:
    """An attacker of a server of its own; nothing may get through, and the counts are printed at the end."""
    environ = {
        "ATELIER_HOME": str(folder / "home"),
        "ATELIER_INPUT_ROOTS": str(folder),
        # A service that is never asked: without one the emulator would be started.
        "MHAPI_ACCESS_KEY": "nobody",
        "MHAPI_SECRET_KEY": "nobody-at-all",
        "MHAPI_BASE_URL": "http://127.0.0.1:9/mhapi",
    }
    async with Client(create_server(load_settings(environ))) as client:
        attack = ImageAttack(client)
        yield attack
    if attack.attempts:
        print(attack.format_counts())  # noqa: T201  # what -s and make attack are for
    assert not attack.breaches, "\n".join(attack.breaches)


def list_children() -> list[int]:
    """The processes that this one has started and that still run; Linux alone tells."""
    children: list[int] = []
    for task in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            children += map(int, task.read_text("ascii").split())
    return children


def read_cpu_s(pid: int) -> float:
    """How long a process has computed; 0 when it has ended, and where that cannot be known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return 0
    # User and system time; behind the name, which may hold spaces, the first field is the third.
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _sum_memory() -> int:
    own_id = os.getpid()
    own_command = _read_command(own_id)
    # One that is just being started has all of ours until it is its own program, and takes none of it.
    children = (child for child in list_children() if _read_command(child) != own_command)
    return sum(map(_read_memory, [own_id, *children]))


def _read_command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def _read_memory(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):  # it has ended meanwhile
        return 0
