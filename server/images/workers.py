"""Picture work in worker processes: what strangers hand over is never decoded in the server itself.

A decoder is a large program in C that a file can lead anywhere: into gigabytes, into minutes, into a crash. In a worker
none of that touches the server. Every call reserves what its pictures may need (``decode_cost``) from a budget that all
calls share, and can take no more than that; where the estimate was too low, the call is made once more with everything
there is. It may compute for ten seconds a picture. A worker that took too much of either is killed, and the next call
gets a new one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from atelier_mcp.server.errors import ImageRefused, TransientError
from atelier_mcp.server.images.memory_budget import MemoryBudget
from atelier_mcp.server.images.work_estimate import estimate_bytes, find_sources
from atelier_mcp.server.workers.limits import read_memory_size
from atelier_mcp.server.workers.messages import WorkerCall
from atelier_mcp.server.workers.pool import WorkerOutOfMemory, WorkerPool
from atelier_mcp.server.workers.process import WorkerClosed, WorkerError, WorkerStopped, WorkerTimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

log: logging.Logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

IMAGES_PACKAGE: Final = "atelier_mcp.server.images"
MAX_TOTAL_BYTES: Final = 1_700_000_000
"""What all picture work at once may take; enough for the worst picture of 100 megapixels, a WebP."""
MOST_WORKERS: Final = 4
MOST_KEPT_BYTES: Final = 500_000_000
TIME_LIMIT_S: Final = 10.0
"""Of computing, for each picture that a call reads."""
_CLOCK_FACTOR: Final = 1 if sys.platform == "win32" else 3
"""How much more time may pass than is computed: the machine has other work. Windows limits the passing time alone."""
_MOST_BYTES_IN_LOOP: Final = 250_000
"""Of pictures whose headers are read in the event loop: one of nothing but headers still takes only milliseconds."""
MOST_TIMED_IMAGES: Final = 6
"""More pictures in one call get no more time."""


class ImageWorkers:
    """Calls functions of the images package in worker processes; open it with ``async with``."""

    def __init__(
        self,
        *,
        time_limit_s: float = TIME_LIMIT_S,
        total_bytes: int = MAX_TOTAL_BYTES,
        most_workers: int = MOST_WORKERS,
    ) -> None:
        """Nothing is started before the first call.

        ``time_limit_s`` is for each picture that a call reads, ``total_bytes`` for all calls together; where the
        machine has not twice as much, they get half of what it has. There are at most ``most_workers`` processes, and
        no more than processors where those are more than two.
        """
        self._time_limit_s = time_limit_s
        self._budget = MemoryBudget(min(total_bytes, read_memory_size() // 2))
        self._pool = WorkerPool(
            min(most_workers, max(2, os.cpu_count() or 2)),
            package=IMAGES_PACKAGE,
            name="images",
            prepare=f"{IMAGES_PACKAGE}.worker_setup:load_decoders",
            most_kept_bytes=MOST_KEPT_BYTES,
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.__aexit__(kind, error, trace)

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a function of the images package, called in a worker.

        Any bytes and ``Path`` among the arguments, or in a sequence, a mapping or a field there, are taken for
        pictures that it reads. Raises what the function raises, and ``ImageRefused`` for pictures that take more
        memory or time than there is or make a decoder crash, and ``TransientError`` while the server closes.
        """
        sources = list(find_sources((*args, *kwargs.values())))
        time_limit_s = self._time_limit_s * min(max(1, len(sources)), MOST_TIMED_IMAGES)
        call = WorkerCall(f"{function.__module__}:{function.__qualname__}", args, kwargs, cpu_s=time_limit_s)
        try:
            return await self._try_twice(call, await _estimate(sources))
        except WorkerClosed as err:
            raise TransientError("The server is closing.", hint="Ask again when it is up.") from err
        except WorkerTimedOut as err:
            raise _build_refusal(sources, f"takes longer than {time_limit_s:.0f} s to read", err) from err
        except WorkerOutOfMemory as err:
            needs = f"needs more than {self._budget.total_bytes / 1e6:,.0f} MB of memory to be worked on"
            raise _build_refusal(sources, needs, err) from err
        except WorkerStopped as err:
            raise _build_refusal(sources, "is damaged in a way that ends its decoder", err) from err

    async def _try_twice(self, call: WorkerCall, needed_bytes: int) -> Any:
        if needed_bytes < self._budget.total_bytes:
            try:
                return await self._try(call, needed_bytes)
            except (WorkerOutOfMemory, WorkerStopped) as err:  # a library without memory may well crash
                log.debug("a call is made again with all memory: %s", err)
        return await self._try(call, self._budget.total_bytes)

    async def _try(self, call: WorkerCall, needed_bytes: int) -> Any:
        clock_s = _CLOCK_FACTOR * (call.cpu_s or self._time_limit_s)
        async with self._budget.reserve(needed_bytes) as reserved_bytes:
            return await self._pool.run_call(call._replace(memory_bytes=reserved_bytes), time_limit_s=clock_s)


async def _estimate(sources: Sequence[bytes | Path]) -> int:
    # A file may lie on a slow disk. For small pictures, going to a thread and back takes longer than reading headers.
    if all(isinstance(source, bytes) and len(source) <= _MOST_BYTES_IN_LOOP for source in sources):
        return estimate_bytes(sources)
    return await asyncio.to_thread(estimate_bytes, sources)


def _build_refusal(sources: Sequence[bytes | Path], reason: str, err: WorkerError) -> ImageRefused:
    log.warning("a picture was given up: %s", err)
    subject = "The picture" if len(sources) < 2 else "One of the pictures"
    return ImageRefused(f"{subject} {reason}.", hint="Give a smaller version of it, or save it anew.")
