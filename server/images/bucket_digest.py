"""The records of a library once more in one object, so that a server that has just started need not read each.

It is only ever a copy: what is listed counts, and a record that is not in it is read by itself. With any deletion it is
deleted as well, so that nothing of a picture that is gone stays in it.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Final, cast

from atelier_mcp.server.images.bucket_names import build_dated_name
from atelier_mcp.server.images.stored_image import decode_record, encode_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atelier_mcp.server.images.bucket_client import BucketClient
    from atelier_mcp.server.images.stored_image import StoredImage

NAME: Final = "records.json.gz"
MIN_RECORDS: Final = 200
"""Fewer are read singly, and soon."""


class RecordDigest:
    """That copy for one library."""

    def __init__(self, client: BucketClient, prefix: str, library: str) -> None:
        """``prefix`` is that of the library; nothing is read yet."""
        self._client = client
        self._prefix = prefix
        self._library = library

    async def read(self) -> dict[str, StoredImage]:
        """The pictures in it by their dated names; none where it is not there, or not one of ours."""
        data = await self._client.get(f"{self._prefix}{NAME}")
        return {} if data is None else await asyncio.to_thread(_decode, data, self._library)

    async def write(self, images: Sequence[StoredImage]) -> None:
        """Replace it, unless one of the pictures was deleted meanwhile."""
        key = f"{self._prefix}{NAME}"
        await self._client.put(key, await asyncio.to_thread(_encode, images), "application/gzip")
        # Whoever deletes takes a picture's name first and this object last: either it is gone by then, or the name is.
        listed: set[str] = set()
        async for page in self._client.list_pages(f"{self._prefix}newest/"):
            listed.update(page)
        if any(build_dated_name(image) not in listed for image in images):
            await self._client.delete([key])


def _encode(images: Iterable[StoredImage]) -> bytes:
    records = {image.handle: encode_record(image).decode() for image in images}
    return gzip.compress(json.dumps(records).encode(), compresslevel=4)


def _decode(data: bytes, library: str) -> dict[str, StoredImage]:
    try:
        records = cast("dict[str, str]", json.loads(gzip.decompress(data)))
        images = [decode_record(handle, record.encode(), library=library) for handle, record in records.items()]
    except (OSError, EOFError, ValueError, AttributeError):
        return {}
    return {build_dated_name(image): image for image in images if image is not None}
