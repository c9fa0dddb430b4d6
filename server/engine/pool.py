"""The worker processes the engine runs in: OpenCV and NumPy stay there, and out of the server."""

from __future__ import annotations

from typing import Final

from atelier_mcp.server.workers.pool import WorkerPool

ENGINE_PACKAGE: Final = "atelier_mcp.server.engine"
DEFAULT_WORKERS: Final = 2
"""OpenCV and PyPatchMatch release the GIL, so two threads would do (1.6 to 2 times as fast as one); but a patch search
cannot be cancelled, only killed with its process."""
MOST_KEPT_BYTES: Final = 1_500_000_000
"""A worker that has had more memory is replaced: the largest pictures take that, and few are so large."""


class EnginePool(WorkerPool):
    """Workers that call the engine's functions."""

    def __init__(self, workers: int = DEFAULT_WORKERS) -> None:
        """At most ``workers`` processes."""
        super().__init__(
            workers,
            package=ENGINE_PACKAGE,
            name="engine",
            prepare=f"{ENGINE_PACKAGE}.worker_setup:limit_opencv_threads",
            most_kept_bytes=MOST_KEPT_BYTES,
        )
