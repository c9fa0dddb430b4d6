"""The worker processes the engine runs in, seen from the event loop of the server.

This module imports nothing heavy: the server loads it, and OpenCV and NumPy stay in the workers. A worker is a fresh
interpreter which imports this module and then what its jobs name; never the program that started it, so that a
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

ENGINE: Final = "atelier_mcp.server.engine"
DEFAULT_WORKERS: Final = 2
LENGTH_BYTES: Final = 8

# The parent's import path comes as arguments: a worker then finds this package wherever its parent found it.
_WORKER_PROGRAM: Final = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import work; work()"
# One job has one core: the pool is what runs jobs beside each other.
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class EngineError(RuntimeError):
    """A job of the engine failed for a reason that is not its caller's: a defect, too little memory, a dead worker."""


class Job(NamedTuple):
    """A call to be made in a worker."""

    function: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


Answer: TypeAlias = tuple[Literal["done"], Any] | tuple[Literal["refused"], str] | tuple[Literal["failed"], str]


class EnginePool:
    """Worker processes, each doing one job at a time; a job more than there are workers waits its turn.

    Workers start when first needed and stay. Open the pool with ``async with``; leaving it kills what still runs.
    """

    def __init__(self, workers: int = DEFAULT_WORKERS, *, package: str = ENGINE) -> None:
        """At most ``workers`` processes; only functions of ``package`` can be called."""
        self._package = package
        self._free = asyncio.Semaphore(workers)
        self._idle: list[_Worker] = []
        self._busy: dict[asyncio.Future[Answer], _Worker] = {}
        self._farewells: set[asyncio.Future[None]] = set()
        # Twice as many threads as workers: burying a worker must not keep its successor waiting.
        self._threads = ThreadPoolExecutor(2 * workers, thread_name_prefix="engine")
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        for worker in self._busy.values():
            worker.kill()
        while self._idle:
            self._dismiss(self._idle.pop())
        while pending := [*self._busy, *self._farewells]:
            await asyncio.wait(pending)
        self._threads.shutdown(wait=False)

    async def run(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of ``"package.module:function"`` called in a worker.

        Hand over and take back plain data (bytes, numbers, strings and containers of these): an array, or a class of
        the engine, would bring NumPy into the caller's process. A cancelled call kills its worker, so that the job
        ends at once.

        Raises:
            ValueError: the function raised one (its text is kept), or it is not a function of the package.
            EngineError: the function raised anything else, its worker died, or the pool is closed.
        """
        module = function.partition(":")[0]
        if module != self._package and not module.startswith(f"{self._package}."):
            raise ValueError(f"{function} is not a function of {self._package}.")
        await self._free.acquire()
        return _result(await self._answer(Job(function, args, kwargs)))

    async def _answer(self, job: Job) -> Answer:
        """Give the job to a worker; the caller holds a place in the semaphore, which the job's end gives back."""
        if self._closed:
            self._free.release()
            raise EngineError("The engine is closed.")
        worker = self._hire()
        answer = asyncio.get_running_loop().run_in_executor(self._threads, worker.perform, job)
        self._busy[answer] = worker
        answer.add_done_callback(self._release)
        try:
            await asyncio.wait([answer])
        except asyncio.CancelledError:
            if not answer.done():
                worker.kill()
            raise
        return answer.result()

    def _hire(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            self._dismiss(worker)
        return _Worker()

    def _release(self, answer: asyncio.Future[Answer]) -> None:
        worker = self._busy.pop(answer)
        # Asking for the exception marks it as seen, which a cancelled caller will not do.
        if answer.exception() is None and worker.alive and not self._closed:
            self._idle.append(worker)
        else:
            self._dismiss(worker)
        self._free.release()

    def _dismiss(self, worker: _Worker) -> None:
        farewell = asyncio.get_running_loop().run_in_executor(self._threads, worker.bury)
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)


def _result(answer: Answer) -> Any:
    match answer:
        case ("done", result):
            return result
        case ("refused", reason):
            raise ValueError(reason)
        case ("failed", reason):
            raise EngineError(reason)
        case _:
            assert_never(answer)


class _Worker:
    """The parent's side of one worker process. ``perform`` and ``bury`` block: they are called in threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    @property
    def alive(self) -> bool:
        """Whether the process runs and is to be given another job."""
        return not self._killed and self._process is not None and self._process.poll() is None

    def perform(self, job: Job) -> Answer:
        """The worker's answer to the job; starts the process when this is its first."""
        request = pickle.dumps(job, protocol=pickle.HIGHEST_PROTOCOL)
        process = self._start() if self._process is None else self._process
        assert process.stdin is not None  # noqa: S101 - both pipes were asked for in _start
        assert process.stdout is not None  # noqa: S101 - both pipes were asked for in _start
        try:
            _send(process.stdin, request)
            answer = _receive(process.stdout)
        except (OSError, EOFError) as err:
            process.kill()
            raise EngineError(f"The engine's worker stopped ({_obituary(process)}) in {job.function}.") from err
        return pickle.loads(answer)  # noqa: S301 - the other end is our own process

    def kill(self) -> None:
        """End the process, whatever it does; returns at once and can be called from any thread."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def bury(self) -> None:
        """Kill the process, wait for its end and close the pipes."""
        self.kill()
        if (process := self._process) is None:
            return
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _close(pipe)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            self._process = process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                [sys.executable, "-P", "-c", _WORKER_PROGRAM, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | _ONE_THREAD,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as err:
            raise EngineError(f"The engine's worker could not be started: {err}") from err
        if self._killed:  # killed while it was being born, when there was nothing to kill yet
            process.kill()
        return process


def _obituary(process: subprocess.Popen[bytes]) -> str:
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
    length = int.from_bytes(_exactly(pipe, LENGTH_BYTES), "little")
    return _exactly(pipe, length)


def _exactly(pipe: IO[bytes], size_bytes: int) -> bytes:
    data = pipe.read(size_bytes)
    if len(data) < size_bytes:
        raise EOFError
    return data


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # unsent bytes of a job whose worker is dead
        return


# From here on: the worker's side.


def work() -> None:
    """The life of a worker process: take jobs, answer them, and vanish with the parent, in the middle of a job too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    incoming, outgoing = _take_the_pipes()
    jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(incoming, jobs), name="listener", daemon=True).start()
    while True:
        _send(outgoing, _answer_to(jobs.get()))


def _take_the_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Move the pipes off stdin and stdout: what a library prints goes to stderr, and what it reads is empty."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return incoming, outgoing


def _listen(incoming: IO[bytes], jobs: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            jobs.put(_receive(incoming))
    except EOFError:
        os._exit(0)


def _answer_to(request: bytes) -> bytes:
    try:
        _confine_opencv()
        job: Job = pickle.loads(request)  # noqa: S301 - the other end is our own process
        answer: Answer = ("done", _resolve(job.function)(*job.args, **job.kwargs))
        return pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
    except ValueError as err:
        answer = ("refused", str(err))
    except Exception as err:  # noqa: BLE001 - the caller is in another process: every error has to travel
        answer = ("failed", f"{type(err).__name__}: {err}")
    return pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)


@cache
def _confine_opencv() -> None:
    import cv2

    cv2.setNumThreads(1)


def _resolve(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
