"""The service that is paid: the emulator with an engine whose pictures differ, and a hand on what it answers."""

from __future__ import annotations

import io
import random
import re
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.engine.tasks import EngineResult
from tests.support.clock import WallClock
from tests.support.emulator_harness import EmulatorHarness
from tests.support.stepped_server import MHAPI
from tests.support.tool_results import read_access_log

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SUBMIT: Final = re.compile(r"/mhapi/v1/imgenstd/imgen$")
SUBMIT_PATTERN: Final = "/mhapi/v1/imgenstd/imgen"
SIDE_PX: Final = 160


class NoiseEngine:
    """Draws noise that follows from the prompt: a cut file does not decode, and no two jobs have one picture."""

    async def run(self, function: str, /, *args: Any, **kwargs: Any) -> EngineResult:
        del function, args
        rng = random.Random(f"{kwargs.get('prompt')}")
        samples = int(kwargs.get("samples") or 1)
        drawn = [_encode(rng.randbytes(SIDE_PX * SIDE_PX * 3), SIDE_PX) for _ in range(samples)]
        seed = int(kwargs.get("seed") or 0)
        return EngineResult(
            tuple((data, seed + index) for index, data in enumerate(drawn)),
            (_encode(bytes(16 * 16 * 3), 16),) * samples,
            (),
        )


class Upstream:
    """The service; ``open_upstream`` makes one."""

    def __init__(self, site: EmulatorHarness, access_log: Path) -> None:
        self.before_answer: Callable[[], object] | None = None
        """Called when the next submit has been accepted and its answer has not left; once."""
        self._site = site
        self._access_log = access_log

    @property
    def environ(self) -> dict[str, str]:
        """The settings that lead to it."""
        return MHAPI.build_environ(self._site.emulator.base_url)

    async def lose_answers(self, kind: str, times: int, **more: Any) -> None:
        """Do what the next submits ask for, and let nobody learn it."""
        fault = {"kind": kind, "path": SUBMIT_PATTERN, "times": times, **more}
        await self._site.call_control("POST", "/faults", fault)

    async def set_task_s(self, seconds: float) -> None:
        """How long its tasks take from now on."""
        await self._site.call_control("PATCH", "/settings", {"task_seconds": seconds})

    def count_submits(self) -> Counter[str]:
        """How often each prompt was accepted, by the emulator's log."""
        entries = read_access_log(self._access_log)
        accepted = (e for e in entries if e["method"] == "POST" and e["status"] == 200 and "/imgen" in e["path"])
        return Counter(str(entry["body"]["prompt"]) for entry in accepted)


class AnswerHold:
    """ASGI middleware that lets ``Upstream.before_answer`` happen between an accepted submit and its answer."""

    def __init__(self, app: ASGIApp, *, get_upstream: Callable[[], Upstream]) -> None:
        self._app, self._get_upstream = app, get_upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_submit = scope["type"] == "http" and SUBMIT.search(scope["path"]) is not None

        async def send_later(message: Message) -> None:
            upstream = self._get_upstream()
            if is_submit and upstream.before_answer is not None:
                act, upstream.before_answer = upstream.before_answer, None
                act()
            await send(message)

        await self._app(scope, receive, send_later)


@asynccontextmanager
async def open_upstream(folder: Path, *, task_s: float = 0.3) -> AsyncGenerator[Upstream]:
    """The service on a free port of loopback, its log in ``folder``."""
    access_log = folder / "access.jsonl"
    site = EmulatorHarness(EmulatorSettings(access_log=access_log, task_seconds=task_s), NoiseEngine(), WallClock())
    upstream = Upstream(site, access_log)
    site.emulator.app.add_middleware(AnswerHold, get_upstream=lambda: upstream)
    async with site:
        yield upstream


def _encode(pixels: bytes, side_px: int) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (side_px, side_px), pixels).save(buffer, "JPEG")
    return buffer.getvalue()
