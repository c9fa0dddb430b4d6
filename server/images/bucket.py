"""An S3-compatible bucket that shares stored pictures with services on the internet, by links that expire."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from atelier_mcp.server.errors import ConfigurationError, ProviderUnavailable
from atelier_mcp.server.images.handles import compute_handle

if TYPE_CHECKING:
    from obstore.store import S3Store

LINK_LIFETIME_S: Final = 6 * 3600
"""Long enough for a job in a queue, short enough for a link in somebody's log."""


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """Where the bucket is and who may write into it. ``url`` is ``s3://bucket`` or ``s3://bucket/folder``."""

    url: str
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    region: str = "us-east-1"
    endpoint: str = ""
    """The address of a service other than Amazon's: ``https://s3.example.org``."""


def _split_address(url: str) -> SplitResult:
    """Raises ``ConfigurationError`` that repeats nothing of the address: keys may stand in it."""
    try:
        parts = urlsplit(url)
    except ValueError as err:
        raise ConfigurationError("ATELIER_BUCKET_URL is not of the form s3://bucket/folder.") from err
    if "@" in parts.netloc:
        raise ConfigurationError(
            "ATELIER_BUCKET_URL has keys in it.",
            hint="Write s3://bucket/folder, and the keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError("ATELIER_BUCKET_URL is not of the form s3://bucket/folder.")
    return parts


class Bucket:
    """Takes pictures in and gives presigned links to them; the same picture lies there once."""

    def __init__(self, access: BucketAccess) -> None:
        """Raises ``ConfigurationError`` for an address that is no bucket's; nothing is opened yet."""
        parts = _split_address(access.url)
        self._access = access
        self._name = parts.netloc
        self._folder = parts.path.strip("/")
        self._store: S3Store | None = None

    async def upload(self, data: bytes, media_type: str) -> str:
        """A link, good for six hours, under which anybody who has it reads the picture.

        Raises ``ProviderUnavailable`` when the bucket cannot be written.
        """
        store = self._open_store()  # first: without the extra it says so in words
        import obstore
        from obstore.exceptions import BaseError

        name = f"{compute_handle(data)}.{media_type.partition('/')[2] or 'bin'}"
        key = f"{self._folder}/{name}" if self._folder else name
        try:
            await obstore.put_async(store, key, data, attributes={"Content-Type": media_type})
            return await obstore.sign_async(store, "GET", key, timedelta(seconds=LINK_LIFETIME_S))
        except (BaseError, OSError) as err:
            raise ProviderUnavailable(
                f"The bucket {self._name} cannot be written.",
                hint="Check ATELIER_BUCKET_URL, AWS_ENDPOINT_URL, AWS_REGION and the AWS keys.",
            ) from err

    def _open_store(self) -> S3Store:
        if self._store is None:
            try:
                from obstore.store import S3Store
            except ImportError as err:
                raise ConfigurationError(
                    "ATELIER_BUCKET_URL is set, but buckets are not installed.", hint='Install "atelier-mcp[bucket]".'
                ) from err
            self._store = S3Store(self._name, **self._build_options())
        return self._store

    def _build_options(self) -> dict[str, Any]:
        access = self._access
        values = {
            "access_key_id": access.access_key_id,
            "secret_access_key": access.secret_access_key,
            "session_token": access.session_token,
            "region": access.region,
            "endpoint": access.endpoint,
        }
        # What is not set is left to the library's own defaults.
        options: dict[str, Any] = {name: value for name, value in values.items() if value}
        # A bucket on a machine of one's own often has no certificate; the library refuses plain http unless told.
        if access.endpoint.startswith("http://"):
            options["client_options"] = {"allow_http": True}
        return options
