"""The store of pictures that the settings name, and the library of each principal in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.services import open_library

if TYPE_CHECKING:
    from atelier_mcp.server.images.bucket_access import BucketAccess
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.workers import ImageWorkers
    from atelier_mcp.server.principals import Principal
    from atelier_mcp.server.settings import Settings

STORE_VARIABLE: Final = "ATELIER_STORE_URL"


class Libraries:
    """The pictures of every principal, for reading. The store is constructed when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is loaded yet."""
        self._settings = settings
        self._store: ImageStore | None = None

    @property
    def store(self) -> ImageStore:
        """The store, its own library that of whoever uses this machine."""
        if self._store is None:
            self._store = create_image_store(self._settings)
        return self._store

    def open(self, principal: Principal) -> ImageStore:
        """The pictures that a principal may see."""
        return open_library(self.store, principal)


def create_image_store(settings: Settings, workers: ImageWorkers | None = None) -> ImageStore:
    """The bucket that is set, or else the data folder. Nothing is opened yet.

    Raises ``ConfigurationError`` for an address that is no bucket's.
    """
    if not settings.store_url:
        from atelier_mcp.server.images.folder_store import FolderStore

        return FolderStore(settings.home, workers)
    from atelier_mcp.server.images.bucket_client import BucketClient
    from atelier_mcp.server.images.bucket_store import BucketStore
    from atelier_mcp.server.images.image_cache import ImageCache

    cache = ImageCache(settings.home / "cache", max_bytes=settings.store_cache_mb * 1_000_000)
    return BucketStore(BucketClient(build_store_access(settings)), cache, workers)


def build_store_access(settings: Settings) -> BucketAccess:
    """Which bucket the pictures lie in, by which keys: the store's own where they are set, else those of AWS.

    Raises ``ConfigurationError`` for an address that is no bucket's, or half a pair of keys.
    """
    from atelier_mcp.server.images.bucket_access import BucketAccess, split_bucket_url

    split_bucket_url(settings.store_url, STORE_VARIABLE)
    has_own_keys = bool(settings.store_access_key_id or settings.store_secret_access_key)
    prefix = "ATELIER_STORE" if has_own_keys else "AWS"
    key_id = settings.store_access_key_id if has_own_keys else settings.aws_access_key_id
    secret = settings.store_secret_access_key if has_own_keys else settings.aws_secret_access_key
    # A session token belongs to the keys that it was given with.
    token = None if has_own_keys else settings.aws_session_token
    if bool(key_id) != bool(secret):
        raise ConfigurationError(
            f"For {STORE_VARIABLE}, {prefix}_ACCESS_KEY_ID and {prefix}_SECRET_ACCESS_KEY are needed together."
        )
    return BucketAccess(
        url=settings.store_url,
        access_key_id=key_id,
        secret_access_key=secret.get_secret_value() if secret else "",
        session_token=token.get_secret_value() if token else "",
        region=settings.store_region or settings.aws_region,
        endpoint=settings.store_endpoint_url or settings.aws_endpoint_url,
        public_endpoint=settings.store_public_url,
        variable=STORE_VARIABLE,
    )
