"""The records of one library in a bucket, read singly or many at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.bucket_names import build_dated_name, build_library_prefix, parse_dated_name
from atelier_mcp.server.images.stored_image import decode_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.images.bucket_client import BucketClient
    from atelier_mcp.server.images.handles import ImageHandle
    from atelier_mcp.server.images.stored_image import StoredImage

MAX_AT_ONCE: Final = 32
_CACHE_SIZE: Final = 4096


class BucketRecords:
    """Reads records, and remembers those that a list has shown to be there still."""

    def __init__(self, client: BucketClient, library: str) -> None:
        """Nothing is read yet."""
        self._client = client
        self._library = library
        self._prefix = f"{build_library_prefix(client.root, library)}images/"
        self._cache: dict[str, StoredImage] = {}
        """By the name in the list: a picture that was deleted and saved anew has another one."""
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)

    async def read(self, handle: ImageHandle) -> StoredImage | None:
        """The picture of that handle, as the bucket has it now; None when none is stored."""
        record = await self._client.get(f"{self._prefix}{handle}.json")
        return None if record is None else decode_record(handle, record, library=self._library)

    async def load(self, names: Sequence[str]) -> list[StoredImage | None]:
        """The pictures of names as ``newest/`` has them; None for what is no name, or is not stored any more."""
        return list(await asyncio.gather(*(self._load(name) for name in names)))

    async def _load(self, name: str) -> StoredImage | None:
        if name in self._cache:
            return self._cache[name]
        handle = parse_dated_name(name)
        if handle is None:
            return None
        async with self._slots:
            image = await self.read(handle)
        # A name of an earlier picture of the same bytes, left behind: the record is that of the later one.
        if image is None or build_dated_name(image) != name:
            return None
        # The one that was remembered first makes room.
        if len(self._cache) >= _CACHE_SIZE:
            del self._cache[next(iter(self._cache))]
        self._cache[name] = image
        return image
