"""The worker processes the engine runs in: OpenCV and NumPy stay there, and out of the server."""

from __future__ import annotations

from typing import Any, Final

from atelier_mcp.server.workers.limits import read_memory_size
from atelier_mcp.server.workers.messages import WorkerCall
from atelier_mcp.server.workers.pool import WorkerPool

ENGINE_PACKAGE: Final = "atelier_mcp.server.engine"
DEFAULT_WORKERS: Final = 2
"""OpenCV and PyPatchMatch release the GIL, so two threads would do (1.6 to 2 times as fast as one); but a patch search
cannot be cancelled, only killed with its process."""
MOST_KEPT_BYTES: Final = 1_500_000_000
"""A worker that has had more memory is replaced: the largest pictures take that, and few are so large."""
MOST_CALL_BYTES: Final = 4_000_000_000
"""Of memory for one call: far more than the largest picture takes, and less than a machine has."""
MOST_CALL_CPU_S: Final = 1200.0
"""Of computing for one call: eight of the largest pictures take minutes."""


class EnginePool(WorkerPool):
    """Workers that call the engine's functions, each call within a limit of memory and of computing."""

    def __init__(self, workers: int = DEFAULT_WORKERS, *, call_bytes: int = MOST_CALL_BYTES) -> None:
        """At most ``workers`` processes.

        A call may take ``call_bytes`` of memory, or three quarters of the machine's where that is less.
        """
        super().__init__(
            workers,
            package=ENGINE_PACKAGE,
            name="engine",
            prepare=f"{ENGINE_PACKAGE}.worker_setup:limit_opencv_threads",
            most_kept_bytes=MOST_KEPT_BYTES,
        )
        self._call_bytes = min(call_bytes, read_memory_size() * 3 // 4)

    async def run(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """The result of one of the engine's functions, within the limits; raises what ``run_call`` does."""
        return await self.run_call(
            WorkerCall(function, args, kwargs, memory_bytes=self._call_bytes, cpu_s=MOST_CALL_CPU_S)
        )
