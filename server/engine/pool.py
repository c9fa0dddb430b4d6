"""The worker processes the engine runs in, seen from the event loop of the server.

This module imports nothing heavy: the server loads it, and OpenCV and NumPy stay in the workers. A worker is a fresh
interpreter which imports this module and then what its calls name; never the program that started it, so that a
console script needs no guard and costs nothing twice. Its stdin and stdout are two private pipes, so that the
server's own, which carry the protocol, are neither inherited nor written to.

On the pipes a message is eight bytes of length and a pickle. Both ends are this program; nothing else can write there.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, assert_never

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

ENGINE_PACKAGE: Final = "atelier_mcp.server.engine"
DEFAULT_WORKERS: Final = 2
"""OpenCV and PyPatchMatch release the GIL, so two threads would do (1.6 to 2 times as fast as one); but a patch search
cannot be cancelled, only killed with its process."""
LENGTH_BYTES: Final = 8

# The parent's import path comes as arguments: a worker then finds this package wherever its parent found it.
_WORKER_PROGRAM: Final = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import work; work()"
# One call has one core: the pool is what runs calls beside each other.
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class EngineError(RuntimeError):
    """A call of the engine failed for a reason that is not its caller's: a defect, too little memory, a dead worker."""


class WorkerCall(NamedTuple):
    """A call to be made in a worker."""

    function: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


WorkerResponse: TypeAlias = tuple[Literal["done"], Any] | tuple[Literal["refused"], str] | tuple[Literal["failed"], str]


class EnginePool:
    """Worker processes, each doing one call at a time; a call more than there are workers waits its turn.

    Workers start when first needed and stay. Open the pool with ``async with``; leaving it kills what still runs.
    """

    def __init__(self, workers: int = DEFAULT_WORKERS, *, package: str = ENGINE_PACKAGE) -> None:
        """At most ``workers`` processes; only functions of ``package`` can be called.

        The server never passes a package. It is a parameter so that tests of the pool can call functions which hang,
        crash and print, from a module of their own, through the same check that keeps every other caller in the engine.
        """
        self._package = package
        self._free_workers = asyncio.Semaphore(workers)
        self._idle_workers: list[_Worker] = []
        self._busy_workers: dict[asyncio.Future[WorkerResponse], _Worker] = {}
        self._terminations: set[asyncio.Future[None]] = set()
        # Twice as many threads as workers: one waiting for a killed worker's end must not keep its successor waiting.
        self._threads = ThreadPoolExecutor(2 * workers, thread_name_prefix="engine")
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        for worker in self._busy_workers.values():
            worker.kill()
        while self._idle_workers:
            self._terminate_worker(self._idle_workers.pop())
        # In a loop: a call that ends here leaves a worker to be terminated, which is waited for as well.
        while pending := [*self._busy_workers, *self._terminations]:
            await asyncio.wait(pending)
        self._threads.shutdown(wait=False)

    async def run(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of ``"package.module:function"`` called in a worker.

        Hand over and take back plain data (bytes, numbers, strings and containers of these): an array, or a class of
        the engine, would bring NumPy into the caller's process. A cancelled call kills its worker, so that the call
        ends at once.

        Raises:
            ValueError: the function raised one (its text is kept), or it is not a function of the package.
            EngineError: the function raised anything else, its worker died, or the pool is closed.
        """
        # Names travel as text from task records, so what may be called is checked here, not trusted.
        module = function.partition(":")[0]
        if module != self._package and not module.startswith(f"{self._package}."):
            raise ValueError(f"{function} is not a function of {self._package}.")
        await self._free_workers.acquire()
        return _unwrap_response(await self._dispatch(WorkerCall(function, args, kwargs)))

    async def _dispatch(self, call: WorkerCall) -> WorkerResponse:
        """Give the call to a worker; the caller holds a place in the semaphore, which the call's end gives back."""
        if self._closed:
            self._free_workers.release()
            raise EngineError("The engine is closed.")
        worker = self._acquire_worker()
        response = asyncio.get_running_loop().run_in_executor(self._threads, worker.run_call, call)
        self._busy_workers[response] = worker
        response.add_done_callback(self._release)
        try:
            await asyncio.wait([response])
        except asyncio.CancelledError:
            # The future is not cancelled with us: its thread sees the pipe break, and `_release` then frees the place.
            if not response.done():
                worker.kill()
            raise
        return response.result()

    def _acquire_worker(self) -> _Worker:
        while self._idle_workers:
            worker = self._idle_workers.pop()
            # It may have died while it was idle.
            if worker.is_alive:
                return worker
            self._terminate_worker(worker)
        return _Worker()

    def _release(self, response: asyncio.Future[WorkerResponse]) -> None:
        worker = self._busy_workers.pop(response)
        # Asking for the exception marks it as seen, which a cancelled caller will not do.
        if response.exception() is None and worker.is_alive and not self._closed:
            self._idle_workers.append(worker)
        else:
            self._terminate_worker(worker)
        self._free_workers.release()

    def _terminate_worker(self, worker: _Worker) -> None:
        termination = asyncio.get_running_loop().run_in_executor(self._threads, worker.terminate)
        self._terminations.add(termination)
        termination.add_done_callback(self._terminations.discard)


def _unwrap_response(response: WorkerResponse) -> Any:
    match response:
        case ("done", result):
            return result
        case ("refused", reason):
            raise ValueError(reason)
        case ("failed", reason):
            raise EngineError(reason)
        case _:
            assert_never(response)


class _Worker:
    """The parent's side of one worker process. ``run_call`` and ``terminate`` block: they are called in threads."""

    def __init__(self) -> None:
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
            _send(process.stdin, request)
            response = _receive(process.stdout)
        except (OSError, EOFError) as err:
            process.kill()
            raise EngineError(f"The engine's worker stopped ({_describe_exit(process)}) in {call.function}.") from err
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
        try:
            self._process = process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                # -P: else the directory we were started in would come first in the import path.
                [sys.executable, "-P", "-c", _WORKER_PROGRAM, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | _ONE_THREAD,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as err:
            raise EngineError(f"The engine's worker could not be started: {err}") from err
        if self._is_killed:  # killed while it was being born, when there was nothing to kill yet
            process.kill()
        return process


def _describe_exit(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"signal {-code}"


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(LENGTH_BYTES, "little"))
    pipe.write(message)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes:
    """The next message; EOFError when the other end is gone, be it within a message."""
    length = int.from_bytes(_read_exactly(pipe, LENGTH_BYTES), "little")
    return _read_exactly(pipe, length)


def _read_exactly(pipe: IO[bytes], size_bytes: int) -> bytes:
    data = pipe.read(size_bytes)
    if len(data) < size_bytes:
        raise EOFError
    return data


def _close_pipe(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # unsent bytes of a call whose worker is dead
        return


# From here on: the worker's side.


def work() -> None:
    """Run a worker process: take calls, answer them, and exit with the parent, in the middle of a call too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    incoming, outgoing = _detach_pipes()
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive_calls, args=(incoming, calls), name="listener", daemon=True).start()
    while True:
        _send(outgoing, _handle_call(calls.get()))


def _detach_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Move the pipes off stdin and stdout: what a library prints goes to stderr, and what it reads is empty.

    By file descriptor and not by ``sys.stdout``: libraries in C write to descriptor 1 without asking Python.
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null_device = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null_device, 0)
    os.close(null_device)
    os.dup2(2, 1)
    return incoming, outgoing


def _receive_calls(incoming: IO[bytes], calls: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            calls.put(_receive(incoming))
    except EOFError:
        # The parent is gone. sys.exit would end this thread only, while the main one computes on for nobody.
        os._exit(0)


def _handle_call(request: bytes) -> bytes:
    try:
        _limit_opencv_threads()
        call: WorkerCall = pickle.loads(request)  # noqa: S301 - the other end is our own process
        response: WorkerResponse = ("done", _resolve_function(call.function)(*call.args, **call.kwargs))
        # Within the try: a result that cannot be pickled is a failed call, not the end of the worker.
        return pickle.dumps(response, protocol=pickle.HIGHEST_PROTOCOL)
    except ValueError as err:
        response = ("refused", str(err))
    except Exception as err:  # noqa: BLE001 - the caller is in another process: every error has to travel
        response = ("failed", f"{type(err).__name__}: {err}")
    return pickle.dumps(response, protocol=pickle.HIGHEST_PROTOCOL)


@cache
def _limit_opencv_threads() -> None:
    """Give OpenCV one thread. Imported here because the server loads this module, and must not load OpenCV."""
    import cv2

    cv2.setNumThreads(1)


def _resolve_function(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
