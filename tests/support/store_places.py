"""Where the pictures of tests lie: each kind of store there is, empty for each test."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Protocol

import obstore

from atelier_mcp.server.images.bucket_access import open_bucket
from atelier_mcp.server.images.bucket_client import BucketClient
from atelier_mcp.server.images.bucket_store import BucketStore
from atelier_mcp.server.images.folder_store import FolderStore
from atelier_mcp.server.images.image_cache import ImageCache

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.images.bucket_access import BucketAccess
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.images.workers import ImageWorkers


class StorePlace(Protocol):
    """A place for pictures that several servers may share."""

    def open(self, workers: ImageWorkers | None = None) -> ImageStore:
        """The store as a server that has just started sees it."""
        ...

    async def list_names(self) -> list[str]:
        """The names of everything that lies there, without folders of days."""
        ...

    async def remove(self, name: str) -> None:
        """Take one thing away behind the store's back."""
        ...

    async def write(self, name: str, data: bytes) -> None:
        """Overwrite one thing behind the store's back."""
        ...


class FolderPlace:
    """A data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, workers: ImageWorkers | None = None) -> FolderStore:
        return FolderStore(self._folder, workers)

    async def list_names(self) -> list[str]:
        return sorted(path.name for path in self._folder.rglob("*") if path.is_file())

    async def remove(self, name: str) -> None:
        self._find(name).unlink()

    async def write(self, name: str, data: bytes) -> None:
        self._find(name).write_bytes(data)

    def _find(self, name: str) -> Path:
        return next(self._folder.rglob(name))


class BucketPlace:
    """A folder of a bucket; each server has a cache of its own."""

    def __init__(self, access: BucketAccess, folder: Path) -> None:
        self.access = access
        self._folder = folder
        self._caches = count(1)
        self._objects = open_bucket(access)

    def open(self, workers: ImageWorkers | None = None, *, max_cache_bytes: int = 10_000_000) -> BucketStore:
        cache = ImageCache(self._folder / f"cache-{next(self._caches)}", max_bytes=max_cache_bytes)
        return BucketStore(BucketClient(self.access), cache, workers)

    def open_with(self, workers: ImageWorkers, **changes: str) -> BucketStore:
        """The same with other settings."""
        cache = ImageCache(self._folder / f"cache-{next(self._caches)}", max_bytes=10_000_000)
        return BucketStore(BucketClient(replace(self.access, **changes)), cache, workers)

    async def list_names(self) -> list[str]:
        return sorted(key.rpartition("/")[2] for key in await self.list_keys())

    async def list_keys(self) -> list[str]:
        """Everything that lies there, by its whole key."""
        pages = obstore.list(self._objects, f"{self.access.folder}/")  # pyright: ignore[reportUnknownMemberType]  # arro3
        return sorted([str(entry["path"]) async for page in pages for entry in page])

    async def remove(self, name: str) -> None:
        await obstore.delete_async(self._objects, await self._find(name))

    async def write(self, name: str, data: bytes) -> None:
        await obstore.put_async(self._objects, await self._find(name), data)

    async def _find(self, name: str) -> str:
        return next(key for key in await self.list_keys() if key.endswith(f"/{name}"))


def get_file(image: StoredImage) -> Path:
    """The file of a picture in a folder."""
    assert image.path is not None
    return image.path
