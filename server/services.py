"""The opened parts of the server, as ``app.py`` constructs them and tools use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.local_files import LocalFiles
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.jobs.service import JobService
    from atelier_mcp.server.jobs.submission import Submitter
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """What is open while the server works; all of it is closed with the server."""

    settings: Settings
    clock: Clock
    submitter: Submitter
    jobs: JobService
    image_pipeline: ImagePipeline
    image_store: ImageStore
    local_files: LocalFiles
    router: Router
