"""The server's end of one worker process."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Final

from atelier_mcp.server.workers.messages import receive_message, send_message

if TYPE_CHECKING:
    from atelier_mcp.server.workers.messages import WorkerCall, WorkerResponse

# The parent's import path comes as arguments: a worker then finds this package wherever its parent found it.
_PROGRAM: Final = "import sys; sys.path[:] = sys.argv[2:]; from {module} import work; work(sys.argv[1])"
_CHILD_MODULE: Final = "atelier_mcp.server.workers.child"
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
    """One worker process. ``run_call`` and ``terminate`` block: they are called in threads."""

    def __init__(self, prepare: str) -> None:
        """Nothing is started yet; ``prepare`` as in ``child.work``."""
        self._prepare = prepare
        self._process: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    @property
    def is_alive(self) -> bool:
        """Whether the process runs and is to be given another call."""
        return not self._is_killed and self._process is not None and self._process.poll() is None

    def run_call(self, call: WorkerCall) -> WorkerResponse:
        """The worker's answer to the call; starts the process when this is its first."""
        # Whole before a byte is sent: half a message would leave the pipe useless.
        request = pickle.dumps(call, protocol=pickle.HIGHEST_PROTOCOL)
        process = self._start() if self._process is None else self._process
        assert process.stdin is not None  # noqa: S101 - both pipes were asked for in _start
        assert process.stdout is not None  # noqa: S101 - both pipes were asked for in _start
        try:
            send_message(process.stdin, request)
            response = receive_message(process.stdout)
        except (OSError, EOFError) as err:
            process.kill()
            code = process.wait()
            # How the system ends a process that has computed for longer than it may.
            kind = WorkerTimedOut if code == -getattr(signal, "SIGXCPU", 0) != 0 else WorkerStopped
            raise kind(f"The worker stopped ({_describe_exit(code)}) in {call.function}.") from err
        return pickle.loads(response)  # noqa: S301 - the other end is our own process

    def kill(self) -> None:
        """End the process, whatever it does; returns at once and can be called from any thread."""
        self._is_killed = True
        if self._process is not None:
            self._process.kill()

    def terminate(self) -> None:
        """Kill the process, wait for its end and close the pipes."""
        self.kill()
        if (process := self._process) is None:
            return
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close_pipe(pipe)

    def _start(self) -> subprocess.Popen[bytes]:
        program = _PROGRAM.format(module=_CHILD_MODULE)
        try:
            self._process = process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                # -P: else the directory we were started in would come first in the import path.
                [sys.executable, "-P", "-c", program, self._prepare, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | _ENVIRONMENT,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as err:
            raise WorkerError(f"The worker could not be started: {err}") from err
        if self._is_killed:  # killed while it was being born, when there was nothing to kill yet
            process.kill()
        return process


def _describe_exit(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"signal {-code}"


def _close_pipe(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # unsent bytes of a call whose worker is dead
        return
