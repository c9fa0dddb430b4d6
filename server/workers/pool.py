"""A pool of worker processes, seen from the event loop of the server.

It imports nothing heavy: what its calls need is loaded in the workers. Their stdin and stdout are two private pipes,
so that the server's own, which carry the protocol, are neither inherited nor written to.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, assert_never

from atelier_mcp.server.workers.messages import WorkerCall
from atelier_mcp.server.workers.process import WorkerClosed, WorkerError, WorkerProcess, WorkerStopped, WorkerTimedOut

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from atelier_mcp.server.workers.messages import WorkerResponse


class WorkerOutOfMemory(WorkerError):
    """The call needed more memory than it may have."""


class WorkerPool:
    """Worker processes, each doing one call at a time; a call more than there are workers waits its turn.

    Workers start when first needed and stay. Open the pool with ``async with``; leaving it kills what still runs.
    """

    def __init__(
        self, workers: int, *, package: str, name: str = "worker", prepare: str = "", most_kept_bytes: int | None = None
    ) -> None:
        """At most ``workers`` processes; only functions of ``package`` can be called.

        ``name`` is for tasks and errors, ``prepare`` a function (``package.module:name``) that each worker calls
        first. A worker that has ever had more than ``most_kept_bytes`` of memory is replaced after its call.
        """
        self._package = package
        self._name = name
        self._prepare = prepare
        self._most_kept_bytes = most_kept_bytes
        self._free_workers = asyncio.Semaphore(workers)
        self._idle_workers: list[WorkerProcess] = []
        self._busy_workers: dict[asyncio.Task[WorkerResponse], WorkerProcess] = {}
        self._terminations: set[asyncio.Task[None]] = set()
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

    async def run(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of ``"package.module:function"`` called in a worker, however long that takes; see ``run_call``."""
        return await self.run_call(WorkerCall(function, args, kwargs))

    async def run_call(self, call: WorkerCall, *, time_limit_s: float | None = None) -> Any:
        """The result of a call made in a worker.

        Hand over and take back plain data (bytes, numbers, strings and containers of these): an array, or a class of
        some library, would bring that into the caller's process. A cancelled call kills its worker, so that the call
        ends at once.

        Raises:
            ValueError: the function raised one (its text is kept), or it is not a function of the package.
            AtelierError: the function raised it.
            WorkerTimedOut: it took longer than ``time_limit_s`` seconds, counted from when a worker was free, or it
                computed for longer than ``call.cpu_s``.
            WorkerOutOfMemory: it needed more than ``call.memory_bytes``.
            WorkerStopped: its worker died.
            WorkerClosed: the pool is closed.
            WorkerError: the function raised anything else.
        """
        # Names travel as text from task records, so what may be called is checked here, not trusted.
        module = call.function.partition(":")[0]
        if module != self._package and not module.startswith(f"{self._package}."):
            raise ValueError(f"{call.function} is not a function of {self._package}.")
        await self._free_workers.acquire()
        response = await self._dispatch(call, time_limit_s)
        return _unwrap_response(response)

    async def _dispatch(self, call: WorkerCall, time_limit_s: float | None) -> WorkerResponse:
        """Give the call to a worker; the caller holds a place in the semaphore, which the call's end gives back."""
        if self._closed:
            self._free_workers.release()
            raise self._build_closed_error()
        worker = self._acquire_worker()
        response = asyncio.create_task(worker.run_call(call), name=f"{self._name} call")
        self._busy_workers[response] = worker
        response.add_done_callback(self._release)
        try:
            await asyncio.wait([response], timeout=time_limit_s)
        finally:
            # Cancelled, or out of time. The task is not cancelled with us: it sees the pipe break, and `_release` then
            # frees the place.
            if not response.done():
                worker.kill()
        if not response.done():
            raise WorkerTimedOut(f"{call.function} took longer than {time_limit_s:g} s.")
        try:
            return response.result()
        except WorkerStopped as err:
            if self._closed:
                raise self._build_closed_error() from err
            raise

    def _acquire_worker(self) -> WorkerProcess:
        while self._idle_workers:
            worker = self._idle_workers.pop()
            # It may have died while it was idle.
            if worker.is_alive:
                return worker
            self._terminate_worker(worker)
        return WorkerProcess(self._prepare)

    def _release(self, response: asyncio.Task[WorkerResponse]) -> None:
        worker = self._busy_workers.pop(response)
        # Asking for the exception marks it as seen, which a cancelled caller will not do.
        # Whether it has ended since is seen when it is taken again.
        if response.exception() is None and not self._closed and self._is_lean(response.result()):
            self._idle_workers.append(worker)
        else:
            self._terminate_worker(worker)
        self._free_workers.release()

    def _is_lean(self, response: WorkerResponse) -> bool:
        """Whether the worker may be kept: what a library has once taken it seldom gives back whole."""
        return self._most_kept_bytes is None or (
            response.peak_bytes <= self._most_kept_bytes and response.outcome != "out of memory"
        )

    def _build_closed_error(self) -> WorkerClosed:
        return WorkerClosed(f"The {self._name} pool is closed.")

    def _terminate_worker(self, worker: WorkerProcess) -> None:
        termination = asyncio.create_task(worker.terminate(), name=f"end of a {self._name} process")
        self._terminations.add(termination)
        termination.add_done_callback(self._terminations.discard)


def _unwrap_response(response: WorkerResponse) -> Any:
    match response.outcome:
        case "done":
            return response.value
        case "raised":
            raise response.value
        case "out of memory":
            raise WorkerOutOfMemory(response.value)
        case "failed":
            raise WorkerError(response.value)
        case _:
            assert_never(response.outcome)
