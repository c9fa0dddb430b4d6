"""The pictures of every principal, for one that may see them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.images.store import ImageStore, LibraryChanges

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from atelier_mcp.server.images.handles import ImageHandle
    from atelier_mcp.server.images.store import ImageFiles, LibraryScanner
    from atelier_mcp.server.images.stored_image import StoredImage


class AllLibraries(ImageStore):
    """Finds the pictures of all libraries; what is made goes into one of them."""

    def __init__(self, own: ImageStore) -> None:
        """``own`` is looked into first, and keeps what is made."""
        super().__init__(own.workers, library=own.library)
        self._own = own

    @property
    def local_folders(self) -> tuple[Path, ...]:
        """Those of its own library."""
        return self._own.local_folders

    @property
    def gives_links(self) -> bool:
        """As the store behind it does."""
        return self._own.gives_links

    def for_library(self, key: str) -> ImageStore:
        """The library of that key alone, but for its own, which sees all."""
        return self if key == self.library else self._own.for_library(key)

    def list_libraries_blocking(self) -> Sequence[str]:
        """The keys of the libraries in the store. Blocks."""
        return self._own.list_libraries_blocking()

    async def put(self, data: bytes, image: StoredImage) -> StoredImage:
        """Store a picture in its own library."""
        return await self._own.put(data, image)

    async def find_disk_trouble(self) -> str:
        """As its own library finds it."""
        return await self._own.find_disk_trouble()

    async def look_up(self, handle: ImageHandle) -> StoredImage | None:
        """The picture of that handle, of its own library where it lies in several."""
        own = await self._own.look_up(handle)
        if own is not None:
            return own
        found = await asyncio.gather(*(other.look_up(handle) for other in await self._open_others()))
        return next((image for image in found if image is not None), None)

    async def read_image(self, image: StoredImage) -> bytes:
        """The bytes of a picture, whosever it is."""
        return await self._own.read_image(image)

    def stream(self, image: StoredImage, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a picture in pieces."""
        return self._own.stream(image, start=start, end=end)

    def open_paths(self, images: Sequence[StoredImage]) -> AbstractAsyncContextManager[list[Path]]:
        """Files of this machine with the bytes of pictures."""
        return self._own.open_paths(images)

    async def export(self, image: StoredImage) -> Path:
        """A file of this machine with a picture's bytes."""
        return await self._own.export(image)

    async def list_recent(self, limit: int, offset: int = 0) -> list[StoredImage]:
        """Pictures of all libraries newest first, ``limit`` of them after the first ``offset``."""
        stores = [self._own, *await self._open_others()]
        found = await asyncio.gather(*(store.list_recent(offset + limit) for store in stores))
        images = sorted((image for images in found for image in images), key=lambda image: image.created_at)
        return images[::-1][offset : offset + limit]

    async def find_newest_mask(self, image: StoredImage) -> StoredImage | None:
        """The mask that was last drawn over a picture, whoever drew it; None where there is none."""
        stores = [self._own, *await self._open_others()]
        masks = await asyncio.gather(*(store.find_newest_mask(image) for store in stores))
        return max((mask for mask in masks if mask is not None), key=lambda mask: mask.created_at, default=None)

    async def delete(self, image: StoredImage) -> None:
        """Take a picture out of its library for good."""
        await self._own.for_library(image.library).delete(image)

    def create_scanner(self) -> AllLibrariesScanner:
        """A scanner of every library, also of those that are added later."""
        return AllLibrariesScanner(self._own)

    def create_link(self, image: StoredImage, expires_s: int) -> str | None:
        """A public link to a picture, where the store itself gives such."""
        return self._own.create_link(image, expires_s)

    def describe_place(self, image: StoredImage) -> str:
        """Where a picture lies."""
        return self._own.describe_place(image)

    def iterate_files(self) -> Iterator[ImageFiles]:
        """Everything that lies in any library. Blocks."""
        for key in self.list_libraries_blocking():
            yield from self._own.for_library(key).iterate_files()

    def delete_files(self, files: ImageFiles) -> None:
        """Delete what ``iterate_files`` found. Blocks."""
        self._own.delete_files(files)

    async def check(self) -> None:
        """As its own library is checked."""
        await self._own.check()

    async def _open_others(self) -> list[ImageStore]:
        keys = await self._own.list_libraries()
        return [self._own.for_library(key) for key in keys if key != self.library]


class AllLibrariesScanner:
    """The scanners of all libraries as one."""

    def __init__(self, own: ImageStore) -> None:
        """``own`` is any library of the store."""
        self._own = own
        self._scanners: dict[str, LibraryScanner] = {}

    async def scan(self) -> LibraryChanges:
        """What is different in any library since the last time."""
        for key in await self._own.list_libraries():
            if key not in self._scanners:
                self._scanners[key] = self._own.for_library(key).create_scanner()
        changes = await asyncio.gather(*(scanner.scan() for scanner in self._scanners.values()))
        return LibraryChanges(
            [image for one in changes for image in one.added], [name for one in changes for name in one.gone]
        )
