"""What every store of pictures does: those of each principal apart, found by handle, listed newest first.

A picture is named by the hash of its bytes. So the same picture lies in a library once, however often and by however
many processes it is saved, a name never comes to mean something else, and no two processes have to agree on the next
one. Its record is written last, so a picture without one is not there yet, and deleted first. Nothing is overwritten.

Each principal has a library of its own: the same bytes lie in two of them as two pictures, so that neither's words
tell anything of the other.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.handles import ImageHandle, compute_handle, is_handle, parse_handle
from atelier_mcp.server.images.library_keys import get_library_key
from atelier_mcp.server.images.probe import probe
from atelier_mcp.server.images.stored_image import StoredImage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from pathlib import Path

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.images.provenance import Provenance
    from atelier_mcp.server.images.workers import ImageWorkers


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """What a store holds of one picture, also of one that was left half written or half deleted."""

    names: tuple[str, ...]
    """In the order in which they are deleted, the record first; the store's own names."""
    handle: str
    size_bytes: int
    created_s: float
    """In Unix seconds."""


@dataclass(frozen=True, slots=True)
class LibraryChanges:
    """How a library differs from what was seen of it before."""

    added: Sequence[StoredImage] = ()
    gone: Sequence[tuple[str, ImageHandle]] = ()
    """Each with the key of its library."""


class LibraryScanner(Protocol):
    """Reads a library once, and then only what has changed."""

    async def scan(self) -> LibraryChanges:
        """What is different since the last time; the first time, everything. Raises ``StorageUnavailable``."""
        ...


class ImageStore(ABC):
    """The pictures of one library, shared with every other process that uses the same store.

    Whatever may wait for a disk or a network raises ``StorageUnavailable`` when that cannot be used.
    """

    def __init__(self, workers: ImageWorkers | None = None, *, library: str = "") -> None:
        """``workers`` read what is to be kept; a store without them is only read from.

        ``library`` is a key as ``get_library_key`` gives it, by default that of whoever uses this machine.
        """
        self.workers: ImageWorkers | None = workers
        self.library: str = library

    @property
    def local_folders(self) -> tuple[Path, ...]:
        """Folders of this machine in which nothing but the library's pictures lies."""
        return ()

    @property
    def gives_links(self) -> bool:
        """Whether ``create_link`` gives any."""
        return False

    def for_owner(self, owner: str) -> ImageStore:
        """The library of the principal of that name, in the same store."""
        return self.for_library(get_library_key(owner))

    @abstractmethod
    def for_library(self, key: str) -> ImageStore:
        """The library of that key, in the same store."""

    async def list_libraries(self) -> Sequence[str]:
        """The keys of the libraries in the store, that of whoever uses this machine first."""
        return await asyncio.to_thread(self.list_libraries_blocking)

    @abstractmethod
    def list_libraries_blocking(self) -> Sequence[str]:
        """As ``list_libraries``. Blocks."""

    async def save(
        self, data: bytes, *, provenance: Provenance, now: datetime, header: ImageHeader | None = None
    ) -> StoredImage:
        """Store a picture whose pixels are known to be sound, or find it if it is stored already.

        The first file of the same bytes stays, with its date and its ``provenance``. The ``header`` is read where it is
        not given. Raises ``ImageRefused`` when the bytes are no picture.
        """
        if self.workers is None:
            raise ValueError("a store without workers is only read from")
        header = header or await self.workers.run(probe, data)
        image = StoredImage(
            handle=compute_handle(data),
            media_type=header.media_type,
            width=header.width,
            height=header.height,
            size_bytes=header.size_bytes,
            created_at=now,
            provenance=provenance,
            library=self.library,
        )
        return await self.put(data, image)

    @abstractmethod
    async def put(self, data: bytes, image: StoredImage) -> StoredImage:
        """Store a picture as ``image`` tells of it; returns the one of these bytes that was first."""

    async def find_disk_trouble(self) -> str:
        """Why no picture can be stored at the moment on this machine's disk, in words; "" where one can."""
        return ""

    async def find(self, handle: str) -> StoredImage:
        """The picture of that handle, however it is written. Raises ``ImageRefused`` when none is stored."""
        parsed = parse_handle(handle) or handle
        stored = await self.look_up(ImageHandle(parsed)) if is_handle(parsed) else None
        if stored is None:
            raise build_missing_error(handle)
        return stored

    @abstractmethod
    async def look_up(self, handle: ImageHandle) -> StoredImage | None:
        """The picture of that handle; None when none is stored."""

    async def read(self, handle: str) -> bytes:
        """The bytes of a picture. Raises ``ImageRefused`` when none is stored under that name."""
        return await self.read_image(await self.find(handle))

    @abstractmethod
    async def read_image(self, image: StoredImage) -> bytes:
        """The bytes of a picture that was found. Raises ``ImageRefused`` when they were taken away."""

    @abstractmethod
    def stream(self, image: StoredImage, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a picture in pieces, from ``start`` to before ``end``. Raises as ``read_image`` does."""

    @abstractmethod
    def open_paths(self, images: Sequence[StoredImage]) -> AbstractAsyncContextManager[list[Path]]:
        """Files of this machine with the bytes of pictures, good within the block. Raises as ``read_image`` does."""

    @abstractmethod
    async def export(self, image: StoredImage) -> Path:
        """A file of this machine with a picture's bytes that stays for a day at least, for work in the background."""

    @abstractmethod
    async def list_recent(self, limit: int, offset: int = 0) -> list[StoredImage]:
        """Pictures newest first, ``limit`` of them after the first ``offset``."""

    @abstractmethod
    async def find_newest_mask(self, image: StoredImage) -> StoredImage | None:
        """The mask that was last drawn over a picture; None where there is none."""

    @abstractmethod
    async def delete(self, image: StoredImage) -> None:
        """Take a picture out of the library for good. What was made of it stays."""

    @abstractmethod
    def create_scanner(self) -> LibraryScanner:
        """A scanner of this library that has seen nothing yet."""

    @abstractmethod
    def create_link(self, image: StoredImage, expires_s: int) -> str | None:
        """A public link to a picture, where the store itself gives such; no request is made for it."""

    def describe_place(self, image: StoredImage) -> str:
        """Where a picture lies, for a person who wants to find it."""
        return str(image.path)

    @abstractmethod
    def iterate_files(self) -> Iterator[ImageFiles]:
        """Everything that lies in the library, whole or not. Blocks."""

    @abstractmethod
    def delete_files(self, files: ImageFiles) -> None:
        """Delete what ``iterate_files`` found; what is gone already is passed over. Blocks."""

    async def check(self) -> None:
        """Raise ``ConfigurationError`` or ``StorageUnavailable`` where pictures could not be stored here."""
        return


def build_missing_error(handle: str) -> ImageRefused:
    """What is said of a handle under which nothing is stored."""
    return ImageRefused(
        f"No picture is stored under {handle[:40]}.",
        hint="Handles come from answers of earlier calls; import_image makes one of a link, a path or a data "
        "URL, list_jobs shows the pictures already made.",
    )
