"""An S3-compatible bucket that shares stored pictures with services on the internet, by links that expire."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.images.bucket_access import BucketAccess, open_bucket, split_bucket_url
from atelier_mcp.server.images.handles import compute_handle

if TYPE_CHECKING:
    from obstore.store import S3Store

LINK_LIFETIME_S: Final = 6 * 3600
"""Long enough for a job in a queue, short enough for a link in somebody's log."""


class Bucket:
    """Takes pictures in and gives presigned links to them; the same picture lies there once."""

    def __init__(self, access: BucketAccess) -> None:
        """Raises ``ConfigurationError`` for an address that is no bucket's; nothing is opened yet."""
        split_bucket_url(access.url, access.variable)
        self._access = access
        self._store: S3Store | None = None

    async def upload(self, data: bytes, media_type: str) -> str:
        """A link, good for six hours, under which anybody who has it reads the picture.

        Raises ``ProviderUnavailable`` when the bucket cannot be written.
        """
        store = self._open_store()  # first: without the extra it says so in words
        import obstore
        from obstore.exceptions import BaseError

        name = f"{compute_handle(data)}.{media_type.partition('/')[2] or 'bin'}"
        key = f"{self._access.folder}/{name}" if self._access.folder else name
        try:
            await obstore.put_async(store, key, data, attributes={"Content-Type": media_type})
            return await obstore.sign_async(store, "GET", key, timedelta(seconds=LINK_LIFETIME_S))
        except (BaseError, OSError) as err:
            raise ProviderUnavailable(
                f"The bucket {self._access.name} cannot be written.",
                hint="Check ATELIER_BUCKET_URL, AWS_ENDPOINT_URL, AWS_REGION and the AWS keys.",
            ) from err

    def _open_store(self) -> S3Store:
        if self._store is None:
            self._store = open_bucket(self._access)
        return self._store
