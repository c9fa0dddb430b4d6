"""The opened parts of the server, as ``app.py`` constructs them and tools use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.local_files import LocalFiles
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.workers import ImageWorkers
    from atelier_mcp.server.jobs.service import JobService
    from atelier_mcp.server.jobs.submitter import Submitter
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.settings import Settings


class SessionNotes:
    """What each caller has been told that is worth saying only once while the server runs."""

    def __init__(self) -> None:
        """Nobody has been told anything."""
        self._notes: set[tuple[str, str]] = set()

    def add(self, caller: str, note: str) -> bool:
        """Note that a caller is told; False where it was before."""
        is_new = (caller, note) not in self._notes
        self._notes.add((caller, note))
        return is_new


@dataclass(frozen=True, slots=True)
class Services:
    """What is open while the server works; all of it is closed with the server."""

    settings: Settings
    clock: Clock
    submitter: Submitter
    jobs: JobService
    image_pipeline: ImagePipeline
    image_store: ImageStore
    image_workers: ImageWorkers
    local_files: LocalFiles
    router: Router
    session_notes: SessionNotes = field(default_factory=SessionNotes)
