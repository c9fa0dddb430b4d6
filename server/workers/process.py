"""The server's end of one worker process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.workers.messages import LENGTH_BYTES
from atelier_mcp.server.workers.packing import pack_message, unpack_message

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from atelier_mcp.server.workers.messages import WorkerCall, WorkerResponse

# The parent's import path comes as arguments: a worker then finds this package wherever its parent found it.
_PROGRAM: Final = "import sys; sys.path[:] = sys.argv[2:]; from {module} import work; work(sys.argv[1])"
_CHILD_MODULE: Final = "atelier_mcp.server.workers.child"
_READ_AHEAD_BYTES: Final = 1 << 20
_END_BOUND_S: Final = 5.0
# One call has one core: the pool is what runs calls beside each other. Two arenas: each reserves address space, of
# which a worker has only so much.
_ENVIRONMENT: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class WorkerError(RuntimeError):
    """A call failed for a reason that is not its caller's, such as a defect."""


class WorkerStopped(WorkerError):
    """The worker ended in the middle of a call: it crashed, or the system killed it."""


class WorkerClosed(WorkerError):
    """The pool is closed, before the call or while it was made."""


class WorkerTimedOut(WorkerError):
    """The call took longer than it may, and its worker was killed."""


class WorkerProcess:
    """One worker process, spoken to from the event loop.

    Not from threads: each step of a call would wait until the busy loop lets its thread go on.
    """

    def __init__(self, prepare: str) -> None:
        """Nothing is started yet; ``prepare`` as in ``child.work``."""
        self._prepare = prepare
        self._process: Process | None = None
        self._is_killed = False

    @property
    def is_alive(self) -> bool:
        """Whether the process runs and is to be given another call."""
        process = self._process
        if self._is_killed or process is None or process.returncode is not None:
            return False
        return not _has_ended(process.pid)

    async def run_call(self, call: WorkerCall) -> WorkerResponse:
        """The worker's answer to the call; starts the process when this is its first. Not to be cancelled: ``kill``."""
        # Whole before a byte is sent: half a message would leave the pipe useless.
        request = await pack_message(call)
        process = self._process or await self._start()
        try:
            response = await _exchange(process, request)
        except (OSError, EOFError) as err:
            code = await self._wait_for_end(process)
            # How the system ends a process that has computed for longer than it may.
            kind = WorkerTimedOut if code == -getattr(signal, "SIGXCPU", 0) != 0 else WorkerStopped
            raise kind(f"The worker stopped ({_describe_exit(code)}) in {call.function}.") from err
        return await unpack_message(response)

    async def _wait_for_end(self, process: Process) -> int:
        """The exit code of a process that speaks no more: it ends by itself, and is killed if it does not."""
        self._is_killed = True
        try:
            # Not killed first: that looks whether it has ended, which takes the code away from whoever waits for it.
            async with asyncio.timeout(_END_BOUND_S):
                return await process.wait()
        except TimeoutError:
            self.kill()
            return await process.wait()

    def kill(self) -> None:
        """End the process, whatever it does; returns at once."""
        self._is_killed = True
        if self._process is not None:
            with suppress(ProcessLookupError):  # it has ended by itself
                self._process.kill()

    async def terminate(self) -> None:
        """Kill the process, wait for its end and close the pipes."""
        self.kill()
        if self._process is None:
            return
        assert self._process.stdin is not None  # noqa: S101  # asked for in _start
        self._process.stdin.close()
        with suppress(OSError):  # unsent bytes of a call whose worker is dead
            await self._process.stdin.wait_closed()
        await self._process.wait()

    async def _start(self) -> Process:
        program = _PROGRAM.format(module=_CHILD_MODULE)
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                # -P: else the directory we were started in would come first in the import path.
                *(sys.executable, "-P", "-c", program, self._prepare, *sys.path),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | _ENVIRONMENT,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                limit=_READ_AHEAD_BYTES,
            )
        except OSError as err:
            raise WorkerError(f"The worker could not be started: {err}") from err
        if self._is_killed:  # killed while it was being born, when there was nothing to kill yet
            self.kill()
        return process


def _has_ended(pid: int) -> bool:
    """Whether a process of ours has ended by now: asyncio says so only a moment later."""
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # asyncio has taken note, and says so soon
        return True


async def _exchange(process: Process, request: bytes) -> bytes:
    assert process.stdin is not None  # noqa: S101  # both pipes were asked for in _start
    assert process.stdout is not None  # noqa: S101  # both pipes were asked for in _start
    process.stdin.write(request)
    await process.stdin.drain()
    length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES), "little")
    return await process.stdout.readexactly(length)


def _describe_exit(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"signal {-code}"
