"""The opened parts of the server, as ``service_opening`` constructs them and tools use them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from atelier_mcp.server.principals import LOCAL

if TYPE_CHECKING:
    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.hosting import LinkSigner
    from atelier_mcp.server.images.local_files import LocalFiles
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.images.workers import ImageWorkers
    from atelier_mcp.server.jobs.service import JobService
    from atelier_mcp.server.jobs.submitter import Submitter
    from atelier_mcp.server.principals import Principal
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
    signer: LinkSigner
    session_notes: SessionNotes = field(default_factory=SessionNotes)
    principal: Principal = LOCAL
    """Whose jobs and pictures these are."""

    def for_principal(self, principal: Principal) -> Services:
        """The same for one caller: what belongs to others is not there, unless it may see all."""
        store = open_library(self.image_store, principal)
        return replace(
            self,
            principal=principal,
            jobs=self.jobs if principal.is_admin else self.jobs.for_owner(principal.name),
            image_store=store,
            image_pipeline=self.image_pipeline.for_store(store),
            local_files=self.local_files.for_store(store),
        )

    def locate(self, image: StoredImage) -> tuple[str | None, str | None]:
        """The path of a picture for a caller on this machine, or else a link that works for a while.

        A picture in a bucket has no path: such a caller gets the bucket's own link, or learns where it lies there.
        """
        from atelier_mcp.server.images.hosting import CALLER_LINK_LIFETIME_S

        base_url = self.principal.image_url
        if not base_url:
            if image.path is not None:
                return str(image.path), None
            store = self.image_store
            return None, store.create_link(image, CALLER_LINK_LIFETIME_S) or store.describe_place(image)
        return None, self.signer.sign(image.handle, base_url, CALLER_LINK_LIFETIME_S, library=image.library)


def open_library(store: ImageStore, principal: Principal) -> ImageStore:
    """The pictures that a principal may see, with its own library to keep new ones in."""
    from atelier_mcp.server.images.all_libraries import AllLibraries

    own = store.for_owner(principal.name)
    return AllLibraries(own) if principal.is_admin else own
