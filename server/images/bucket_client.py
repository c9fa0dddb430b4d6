"""The few things a store of pictures asks of a bucket, with errors in our words.

One client serves all libraries of a process: it holds the connections.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from atelier_mcp.server.images.bucket_access import explain_bucket_error, find_error_code, open_bucket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator, Sequence
    from datetime import datetime

    from obstore import ListStream, ObjectMeta
    from obstore.store import S3Store

    from atelier_mcp.server.images.bucket_access import BucketAccess

PIECE_BYTES: Final = 256 * 1024
PAGE_NAMES: Final = 1000
"""As many as the services give at once."""


class ListedObject(NamedTuple):
    """An object as a listing tells of it."""

    key: str
    size_bytes: int
    changed_at: datetime


class BucketClient:
    """Reads, writes, lists and signs in one bucket. Keys are from the bucket's own top.

    Every request raises ``ConfigurationError`` or ``StorageUnavailable`` when it is refused or not answered; after one
    that wrote, what was written may be there all the same.
    """

    def __init__(self, access: BucketAccess) -> None:
        """Raises ``ConfigurationError`` for an address that is no bucket's; nothing is opened yet."""
        self.access: BucketAccess = access
        self.root: str = f"{access.folder}/" if access.folder else ""
        """What every key of ours begins with."""
        self._opened_store: S3Store | None = None
        self._opened_signer: S3Store | None = None

    @property
    def can_sign(self) -> bool:
        """Whether links to the bucket work outside: Amazon's service is seen from everywhere, others as is set."""
        is_seen = bool(self.access.public_endpoint) or not self.access.endpoint
        return is_seen and bool(self.access.secret_access_key)

    async def put(self, key: str, data: bytes, media_type: str = "") -> None:
        """Write an object, whatever is there."""
        await self._put(key, data, media_type)

    async def put_new(self, key: str, data: bytes, media_type: str = "") -> bool:
        """Write an object unless there is one; False where there is."""
        from obstore.exceptions import AlreadyExistsError

        try:
            await self._put(key, data, media_type, mode="create")
        except AlreadyExistsError:
            return False
        return True

    async def get(self, key: str) -> bytes | None:
        """The bytes of a small object; None where there is none."""
        import obstore

        try:
            with self._explain("read"):
                answer = await obstore.get_async(self._store, key)
                return bytes(await answer.bytes_async())
        except FileNotFoundError:
            return None

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        import obstore

        try:
            with self._explain("read"):
                await obstore.head_async(self._store, key)
        except FileNotFoundError:
            return False
        return True

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of an object in pieces. Raises ``FileNotFoundError`` where there is none."""
        import obstore

        with self._explain("read"):
            span: Any = {"offset": start} if end is None else (start, end)
            answer = await obstore.get_async(self._store, key, options={"range": span} if start or end else None)
        pieces = answer.stream(min_chunk_size=PIECE_BYTES).__aiter__()
        while True:
            # Not around the yield: what its reader raises is not the bucket's.
            with self._explain("read"):
                try:
                    piece = bytes(await pieces.__anext__())
                except StopAsyncIteration:
                    return
            yield piece

    async def list_pages(self, prefix: str, *, after: str = "") -> AsyncIterator[list[str]]:
        """The names under a prefix that ends in a slash, in ascending order, after ``after``; up to 1,000 at a time."""
        offset = f"{prefix}{after}" if after else None
        pages = _list_pages(self._store, prefix, offset).__aiter__()
        while True:
            with self._explain("listed"):
                try:
                    page = await pages.__anext__()
                except StopAsyncIteration:
                    return
            yield [str(entry["path"]).removeprefix(prefix) for entry in page]

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are passed over."""
        import obstore

        with self._explain("deleted"):
            await obstore.delete_async(self._store, keys)

    def sign(self, key: str, expires_s: int) -> str | None:
        """A link by which whoever has it reads an object for so long; None where the bucket is not seen from outside.

        No request is made: without keys of its own a server would have to ask for some, and signs nothing.
        """
        import obstore

        if not self.can_sign:
            return None
        if self._opened_signer is None:
            self._opened_signer = open_bucket(self.access, endpoint=self.access.public_endpoint)
        return obstore.sign(self._opened_signer, "GET", key, timedelta(seconds=expires_s))

    def list_folders_blocking(self, prefix: str) -> list[str]:
        """The names of what lies below a prefix that ends in a slash, one level down. Blocks."""
        import obstore

        with self._explain("listed"):
            answer = obstore.list_with_delimiter(self._store, prefix)  # pyright: ignore[reportUnknownMemberType]  # arro3
        return [str(folder).rstrip("/").rpartition("/")[2] for folder in answer["common_prefixes"]]

    def list_objects_blocking(self, prefix: str) -> Iterator[ListedObject]:
        """Everything under a prefix that ends in a slash. Blocks."""
        with self._explain("listed"):
            for page in _list_pages(self._store, prefix, None):
                for entry in page:
                    yield ListedObject(str(entry["path"]), int(entry["size"]), entry["last_modified"])

    def delete_blocking(self, keys: Sequence[str]) -> None:
        """Delete objects one after the other, in this order. Blocks."""
        import obstore

        with self._explain("deleted"):
            for key in keys:
                obstore.delete(self._store, key)

    async def _put(self, key: str, data: bytes, media_type: str, **options: Any) -> None:
        import obstore

        attributes = {"Content-Type": media_type} if media_type else None
        with self._explain("stored"):
            # In one piece: in several, no condition can be set, and half of them may stay behind.
            await obstore.put_async(self._store, key, data, attributes=attributes, use_multipart=False, **options)

    @property
    def _store(self) -> S3Store:
        if self._opened_store is None:
            self._opened_store = open_bucket(self.access)
        return self._opened_store

    @contextmanager
    def _explain(self, action: str) -> Generator[None]:
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except AlreadyExistsError:
            raise
        except FileNotFoundError as err:
            # The library has one error for an object and for a whole bucket that is not there.
            if action != "read" or find_error_code(err) == "NoSuchBucket":
                raise explain_bucket_error(err, self.access, action=action) from None
            raise
        except (BaseError, OSError) as err:
            # From None: the library's text holds addresses and key ids.
            raise explain_bucket_error(err, self.access, action=action) from None


def _list_pages(store: S3Store, prefix: str, offset: str | None) -> ListStream[Sequence[ObjectMeta]]:
    import obstore

    # One of its overloads names a type of a package that is not installed.
    return obstore.list(store, prefix, offset=offset, chunk_size=PAGE_NAMES)  # pyright: ignore[reportUnknownMemberType]
