"""Stored pictures in an S3-compatible bucket, which any number of servers share (names: ``bucket_names``).

Every read of a picture asks the bucket for its record first, so that what one server deletes no other one shows. Its
bytes are then taken from the cache of this machine.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import StorageUnavailable
from atelier_mcp.server.images.bucket_digest import NAME as DIGEST_NAME
from atelier_mcp.server.images.bucket_names import (
    build_library_prefix,
    find_library_prefix,
    list_markers,
    parse_created_s,
    parse_dated_name,
)
from atelier_mcp.server.images.bucket_records import BucketRecords
from atelier_mcp.server.images.bucket_scanner import BucketScanner
from atelier_mcp.server.images.library_keys import LIBRARIES, is_library_key
from atelier_mcp.server.images.store import ImageFiles, ImageStore, build_missing_error
from atelier_mcp.server.images.stored_image import encode_record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from atelier_mcp.server.images.bucket_client import BucketClient, ListedObject
    from atelier_mcp.server.images.handles import ImageHandle
    from atelier_mcp.server.images.image_cache import ImageCache
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.images.workers import ImageWorkers

JSON_TYPE: Final = "application/json"


class BucketStore(ImageStore):
    """The pictures of one library in a bucket."""

    def __init__(
        self, client: BucketClient, cache: ImageCache, workers: ImageWorkers | None = None, *, library: str = ""
    ) -> None:
        """``client`` and ``cache`` are shared by all libraries; nothing is asked of the bucket yet."""
        super().__init__(workers, library=library)
        self._client = client
        self._cache = cache
        self._prefix = build_library_prefix(client.root, library)
        self._records = BucketRecords(client, library)

    @property
    def local_folders(self) -> tuple[Path, ...]:
        """Where the cache keeps the files that are in use."""
        return (self._cache.pinned_folder,)

    @property
    def gives_links(self) -> bool:
        """Where the bucket is seen from outside, and keys are set to sign with."""
        return self._client.can_sign

    def for_library(self, key: str) -> BucketStore:
        """The library of that key, in the same bucket."""
        return self if key == self.library else BucketStore(self._client, self._cache, self.workers, library=key)

    def list_libraries_blocking(self) -> Sequence[str]:
        """The keys of the libraries in the bucket. Blocks."""
        names = self._client.list_folders_blocking(f"{self._client.root}{LIBRARIES}/")
        return ["", *sorted(name for name in names if name and is_library_key(name))]

    async def put(self, data: bytes, image: StoredImage) -> StoredImage:
        """Write the bytes, then the record unless there is one, then what it is listed by.

        Whoever is killed in between leaves a picture that is not there yet, or is not listed; the next one who saves
        it puts that right.
        """
        stored = await self._records.read(image.handle)
        if stored is None or not await self._client.exists(self._get_key(image)):
            await self._client.put(self._get_key(image), data, image.media_type)
        if stored is None:
            stored = await self._put_record(image)
        await asyncio.gather(*(self._client.put(f"{self._prefix}{name}", b"") for name in list_markers(stored)))
        await self._cache.add(stored.name, data)
        return stored

    async def look_up(self, handle: ImageHandle) -> StoredImage | None:
        """The picture of that handle, as the bucket has it now."""
        return await self._records.read(handle)

    async def read_image(self, image: StoredImage) -> bytes:
        """The bytes of a picture, from the cache where it has them."""
        async with self.open_paths([image]) as (path,):
            return await asyncio.to_thread(path.read_bytes)

    async def stream(self, image: StoredImage, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of a picture in pieces, from the bucket."""
        try:
            async for piece in self._client.stream(self._get_key(image), start=start, end=end):
                yield piece
        except FileNotFoundError as err:
            raise build_missing_error(image.handle) from err

    @asynccontextmanager
    async def open_paths(self, images: Sequence[StoredImage]) -> AsyncGenerator[list[Path]]:
        """Files of the cache, under names of their own, so that nothing is taken away under their reader."""
        outcomes = await asyncio.gather(*(self.export(image) for image in images), return_exceptions=True)
        paths = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        try:
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
            yield paths
        finally:
            for path in paths:
                await self._cache.release(path)

    async def export(self, image: StoredImage) -> Path:
        """A file of the cache that the cache itself takes away after a day."""
        return await self._cache.pin(image.name, lambda: self.stream(image))

    async def list_recent(self, limit: int, offset: int = 0) -> list[StoredImage]:
        """Pictures newest first, ``limit`` of them after the first ``offset``."""
        names: list[str] = []
        async for page in self._client.list_pages(f"{self._prefix}newest/"):
            names += page
            if len(names) >= offset + limit:
                break
        return [image for image in await self._records.load(names[offset : offset + limit]) if image is not None]

    async def find_newest_mask(self, image: StoredImage) -> StoredImage | None:
        """The mask that was last drawn over a picture; None where there is none."""
        async for page in self._client.list_pages(f"{self._prefix}masks/{image.handle}/"):
            for name in page:
                (mask,) = await self._records.load([name])
                if mask is not None:
                    return mask
        return None

    async def delete(self, image: StoredImage) -> None:
        """Delete the record, then what it is listed by, then the bytes, and the copy of the record last."""
        home = build_library_prefix(self._client.root, image.library)
        await self._client.delete([f"{home}images/{image.handle}.json"])
        await self._client.delete([*(f"{home}{name}" for name in list_markers(image)), self._get_key(image)])
        await self._client.delete([f"{home}{DIGEST_NAME}"])
        await self._cache.discard(image.name)

    def create_scanner(self) -> BucketScanner:
        """A scanner of this library."""
        return BucketScanner(self._client, self._records, self._prefix, self.library)

    def create_link(self, image: StoredImage, expires_s: int) -> str | None:
        """A presigned link, where the bucket is seen from outside and keys are set to sign with."""
        return self._client.sign(self._get_key(image), expires_s)

    def describe_place(self, image: StoredImage) -> str:
        """The object: ``s3://bucket/folder/images/img_x.png``."""
        return f"s3://{self._client.access.name}/{self._get_key(image)}"

    def iterate_files(self) -> Iterator[ImageFiles]:
        """Every picture with its objects, also one of which some are missing. Blocks."""
        images = self._client.list_objects_blocking(f"{self._prefix}images/")
        newest = self._client.list_objects_blocking(f"{self._prefix}newest/")
        masks = self._client.list_objects_blocking(f"{self._prefix}masks/")
        found = sorted(((_get_handle(entry), entry) for entry in (*images, *newest, *masks)), key=lambda pair: pair[0])
        for handle, pairs in groupby(found, key=lambda pair: pair[0]):
            if handle:
                yield _build_image_files(handle, [entry for _, entry in pairs])

    def delete_files(self, files: ImageFiles) -> None:
        """Delete the objects of a picture, in their order, and then the copy of its record. Blocks."""
        home = find_library_prefix(self._client.root, files.names[0])
        self._client.delete_blocking([*files.names, f"{home}{DIGEST_NAME}"])

    async def check(self) -> None:
        """Write an object, read, list and delete it: what a right or a setting is missing for, shows now."""
        key = f"{self._client.root}checks/{uuid.uuid4().hex}"
        # First: some services make a bucket that is written to, and so a wrong name.
        await self._client.get(key)
        await self._client.put(key, b"a check of Atelier's")
        try:
            if await self._client.get(key) is None or not [
                page async for page in self._client.list_pages(f"{self._client.root}checks/")
            ]:
                raise StorageUnavailable(f"The bucket {self._client.access.name} does not give back what it was given.")
        finally:
            await self._client.delete([key])

    async def _put_record(self, image: StoredImage) -> StoredImage:
        key, record = f"{self._prefix}images/{image.handle}.json", encode_record(image)
        if await self._client.put_new(key, record, JSON_TYPE):
            return image
        # Another process was first: its record counts, and ours only where that cannot be read.
        existing = await self._records.read(image.handle)
        if existing is None:
            await self._client.put(key, record, JSON_TYPE)
        return existing or image

    def _get_key(self, image: StoredImage) -> str:
        return f"{build_library_prefix(self._client.root, image.library)}images/{image.name}"


def _get_handle(entry: ListedObject) -> str:
    name = entry.key.rpartition("/")[2]
    return parse_dated_name(name) or (name.partition(".")[0] if name.startswith("img_") else "")


def _build_image_files(handle: str, entries: Sequence[ListedObject]) -> ImageFiles:
    def get_rank(entry: ListedObject) -> int:
        return 0 if entry.key.endswith(".json") else 1 if parse_dated_name(entry.key.rpartition("/")[2]) else 2

    ordered = sorted(entries, key=get_rank)
    dated = [name for entry in entries if parse_dated_name(name := entry.key.rpartition("/")[2])]
    # As the picture's name says; of one that was never listed, when it was written.
    created_s = parse_created_s(dated[0]) if dated else ordered[0].changed_at.timestamp()
    return ImageFiles(
        tuple(entry.key for entry in ordered), handle, sum(entry.size_bytes for entry in entries), created_s
    )
