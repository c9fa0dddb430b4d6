"""A server that can be killed, stopped for a while and started again, at the same port with the same files."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.chaos.server_program import ROOT, ServerOptions
from tests.support.replica_topology import find_free_port, wait_until_answered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.chaos.server_forks import ServerForks

END_BOUND_S: Final = 60.0


class ChaosServer:
    """One server over HTTP. ``folder`` is where it is told things, see ``server_program``."""

    def __init__(
        self,
        forks: ServerForks,
        folder: Path,
        environ: Mapping[str, str],
        *,
        surroundings: Sequence[str] = (),
        orphan_age_s: float | None = None,
    ) -> None:
        """With ``surroundings``, a command that is put before the interpreter, it is no fork."""
        self.port: int = find_free_port()
        self.address: str = f"http://127.0.0.1:{self.port}"
        self.folder: Path = folder
        self.process_id: int = 0
        self._forks = forks
        self._surroundings = surroundings
        self._options = ServerOptions(self.port, str(folder), {**os.environ, **environ}, orphan_age_s)
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True)

    @property
    def is_alive(self) -> bool:
        """Whether its process is there."""
        if self._process is not None:
            return self._process.returncode is None
        with suppress(ProcessLookupError):
            if self.process_id:
                os.kill(self.process_id, 0)
                return True
        return False

    def set(self, **environ: str) -> None:
        """Change settings for its lives to come."""
        self._options = replace(self._options, environ={**self._options.environ, **environ})

    async def start(self) -> None:
        """Return when it is ready."""
        await self.launch()
        await wait_until_answered(f"{self.address}/readyz")

    async def launch(self) -> None:
        """Start it and do not wait."""
        if self._surroundings:
            program = (*self._surroundings, sys.executable, "-m", "tests.chaos.server_program", self._options.encode())
            self._process = await asyncio.create_subprocess_exec(*program, cwd=ROOT)
            self.process_id = self._process.pid
        else:
            self.process_id = await asyncio.to_thread(self._forks.fork, self._options)

    async def kill(self) -> None:
        """End it as a crash would, if it runs."""
        self.send_kill()
        await self.wait_until_dead()

    def send_kill(self) -> None:
        """Begin to ``kill`` it."""
        if self.is_alive:
            self.send(signal.SIGKILL)

    async def wait_until_dead(self) -> None:
        """Return when it has died, by whatever hand."""
        async with asyncio.timeout(END_BOUND_S):
            while self.is_alive:
                await asyncio.sleep(0.01)

    def send(self, signal_number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process_id, signal_number)

    def set_control(self, name: str, value: float) -> None:
        """Set a number by which it goes from now on; 0 takes it back."""
        path = self.folder / name
        if value:
            # In one step: it may be reading.
            path.with_suffix(".new").write_text(str(value))
            path.with_suffix(".new").replace(path)
        else:
            path.unlink(missing_ok=True)

    def read_count(self, name: str) -> int:
        """How often it has done something that it counts."""
        path = self.folder / name
        return path.stat().st_size if path.exists() else 0

    async def wait_until_heard(self) -> None:
        """Return when it has complained once more."""
        known = len(self.read_log())
        async with asyncio.timeout(END_BOUND_S):
            while len(self.read_log()) == known:
                await asyncio.sleep(0.05)

    def read_log(self) -> str:
        """What it said, in all its lives."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""
