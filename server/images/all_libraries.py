"""The pictures of every principal, for one that may see them."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from atelier_mcp.server.images.library_keys import list_library_keys
from atelier_mcp.server.images.store import ImageStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atelier_mcp.server.images.store import StoredImage


class AllLibraries(ImageStore):
    """Finds the pictures of all libraries; what is made goes into one of them."""

    def __init__(self, own: ImageStore) -> None:
        """``own`` is looked into first, and keeps what is made."""
        super().__init__(own.root, own.workers, library=own.library)

    def list_folders(self) -> list[Path]:
        """Where the pictures lie that are found here, its own first."""
        return [self.folder, *(other.folder for other in self._list_others())]

    def iterate_newest_first(self) -> Iterator[StoredImage]:
        """Every picture that is found here. Blocks."""
        others = (other.iterate_newest_first() for other in self._list_others())
        return heapq.merge(super().iterate_newest_first(), *others, key=lambda image: -image.created_at.timestamp())

    def _find(self, handle: str) -> StoredImage | None:
        own = self.find_own(handle)
        if own is not None:
            return own
        found = (other.find_own(handle) for other in self._list_others())
        return next((image for image in found if image is not None), None)

    def _list_others(self) -> list[ImageStore]:
        return [ImageStore(self.root, library=key) for key in list_library_keys(self.root) if key != self.library]
