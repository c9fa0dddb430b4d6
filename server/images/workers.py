"""Picture work in worker processes: what strangers hand over is never decoded in the server itself.

A decoder is a large program in C that a file can lead anywhere: into gigabytes, into minutes, into a crash. In a worker
none of that touches the server. Every call reserves what its pictures may need (``decode_cost``) from a budget that all
calls share, and can take no more than that; where the estimate was too low, the call is made once more with everything
there is. It may compute for ten seconds a picture. A worker that took too much of either is killed, and the next call
gets a new one.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import sys
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from atelier_mcp.server.errors import ImageRefused, TransientError
from atelier_mcp.server.images.decode_cost import estimate_cost
from atelier_mcp.server.images.formats import HEAD_BYTES, detect_format
from atelier_mcp.server.images.memory_budget import MemoryBudget
from atelier_mcp.server.workers.limits import read_memory_size
from atelier_mcp.server.workers.messages import WorkerCall
from atelier_mcp.server.workers.pool import WorkerOutOfMemory, WorkerPool
from atelier_mcp.server.workers.process import WorkerClosed, WorkerStopped, WorkerTimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

P = ParamSpec("P")
T = TypeVar("T")

IMAGES_PACKAGE: Final = "atelier_mcp.server.images"
MAX_TOTAL_BYTES: Final = 1_700_000_000
"""What all picture work at once may take; enough for the worst picture of 100 megapixels, a WebP."""
MIN_CALL_BYTES: Final = 200_000_000
"""What every call gets, however small its pictures: room for a result of 12 megapixels."""
MOST_KEPT_BYTES: Final = 500_000_000
TIME_LIMIT_S: Final = 10.0
"""Of computing, for each picture that a call reads."""
_CLOCK_FACTOR: Final = 1 if sys.platform == "win32" else 3
"""How much more time may pass than is computed: the machine has other work. Windows limits the passing time alone."""
MOST_TIMED_PICTURES: Final = 6
"""More pictures in one call get no more time."""
_COPIES: Final = {"WEBP": 4, "AVIF": 5, "HEIF": 5}
"""How often a picture lies in memory at once while it is worked on; these decoders keep copies of their own."""
_USUAL_COPIES: Final = 3


class ImageWorkers:
    """Calls functions of the images package in worker processes; open it with ``async with``."""

    def __init__(self, *, time_limit_s: float = TIME_LIMIT_S, total_bytes: int = MAX_TOTAL_BYTES) -> None:
        """Nothing is started before the first call.

        ``time_limit_s`` is for each picture that a call reads, ``total_bytes`` for all calls together; where the
        machine has not twice as much, they get half of what it has.
        """
        self._time_limit_s = time_limit_s
        self._budget = MemoryBudget(min(total_bytes, read_memory_size() // 2))
        self._pool = WorkerPool(
            min(4, max(2, os.cpu_count() or 2)),
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
        sources = list(_find_sources((*args, *kwargs.values())))
        needed_bytes = await asyncio.to_thread(_estimate_bytes, sources)
        time_limit_s = self._time_limit_s * min(max(1, len(sources)), MOST_TIMED_PICTURES)
        call = WorkerCall(f"{function.__module__}:{function.__qualname__}", args, kwargs, cpu_s=time_limit_s)
        attempt = partial(self._attempt, call, time_limit_s=_CLOCK_FACTOR * time_limit_s)
        try:
            try:
                return cast("T", await attempt(needed_bytes))
            except (WorkerOutOfMemory, WorkerStopped):
                if needed_bytes >= self._budget.total_bytes:
                    raise
            return cast("T", await attempt(self._budget.total_bytes))
        except WorkerTimedOut as err:
            raise _build_refusal(sources, f"takes longer than {time_limit_s:.0f} s to read") from err
        except WorkerOutOfMemory as err:
            needs = f"needs more than {self._budget.total_bytes / 1e6:,.0f} MB of memory to be worked on"
            raise _build_refusal(sources, needs) from err
        except WorkerStopped as err:
            raise _build_refusal(sources, "is damaged in a way that ends its decoder") from err
        except WorkerClosed as err:
            raise TransientError("The server is closing.", hint="Ask again when it is up.") from err

    async def _attempt(self, call: WorkerCall, needed_bytes: int, *, time_limit_s: float) -> Any:
        async with self._budget.reserve(needed_bytes) as reserved_bytes:
            return await self._pool.run_call(call._replace(memory_bytes=reserved_bytes), time_limit_s=time_limit_s)


def _find_sources(values: Iterable[Any]) -> Iterator[bytes | Path]:
    """The pictures among the arguments of a call."""
    for value in values:
        if isinstance(value, bytes | Path):
            yield value
        elif isinstance(value, list | tuple):
            yield from _find_sources(cast("list[Any]", value))
        elif isinstance(value, dict):
            yield from _find_sources(cast("Mapping[Any, Any]", value).values())
        elif is_dataclass(value):
            yield from _find_sources(getattr(value, field.name) for field in fields(value))


def _estimate_bytes(sources: Iterable[bytes | Path]) -> int:
    """What a call may need: one picture being worked on, the largest, and the others decoded beside it."""
    estimates = [_estimate_source(source) for source in sources]
    work_bytes = max((pixel_bytes * copies for _, pixel_bytes, copies in estimates), default=0)
    kept_bytes = sum(file_bytes + pixel_bytes for file_bytes, pixel_bytes, _ in estimates)
    return MIN_CALL_BYTES + work_bytes + kept_bytes


def _estimate_source(source: bytes | Path) -> tuple[int, int, int]:
    """The bytes of a picture's file in a worker and of its pixels, and how often the latter lie there at once."""
    if isinstance(source, bytes):
        return _estimate_picture(source)
    try:
        with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _estimate_picture(content)
    except (OSError, ValueError):  # nothing is there, or it is empty: the worker says so
        return 0, 0, 0


def _estimate_picture(data: bytes | mmap.mmap) -> tuple[int, int, int]:
    image_format = detect_format(data[:HEAD_BYTES])
    if image_format is None:
        return len(data), 0, 0
    cost = estimate_cost(data, image_format)
    # A file is received, unpickled, and written anew without what is not the picture.
    return 3 * len(data), cost.pixels * cost.bytes_per_pixel, _COPIES.get(image_format, _USUAL_COPIES) - 1


def _build_refusal(sources: list[bytes | Path], reason: str) -> ImageRefused:
    subject = "The picture" if len(sources) < 2 else "One of the pictures"
    return ImageRefused(f"{subject} {reason}.", hint="Give a smaller version of it, or save it anew.")
