"""Sees what has changed in a library of a bucket by the names that its newest pictures are listed by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.bucket_digest import MIN_RECORDS, RecordDigest
from atelier_mcp.server.images.bucket_names import parse_dated_name
from atelier_mcp.server.images.store import LibraryChanges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.images.bucket_client import BucketClient
    from atelier_mcp.server.images.bucket_records import BucketRecords
    from atelier_mcp.server.images.handles import ImageHandle
    from atelier_mcp.server.images.stored_image import StoredImage

FULL_SCAN_INTERVAL: Final = 30
"""So many scans look at the newest thousand pictures only; then all are listed, to see what older ones were deleted."""
BATCH: Final = 500


class BucketScanner:
    """Lists a library, and reads each record once."""

    def __init__(self, client: BucketClient, records: BucketRecords, prefix: str, library: str) -> None:
        """Nothing is listed yet; ``prefix`` is that of the library."""
        self._client = client
        self._records = records
        self._prefix = f"{prefix}newest/"
        self._library = library
        self._digest = RecordDigest(client, prefix, library)
        self._known: dict[str, ImageHandle] = {}
        """Handles by their names in the list."""
        self._scans_left = 0

    async def scan(self) -> LibraryChanges:
        """What has changed since the last time; deletions of older pictures show a little later."""
        names, is_full = await self._list_names()
        # Beyond the last name that was listed, nothing is known of deletions.
        last = max(names, default="")
        gone = [name for name in self._known if name not in names and (is_full or name <= last)]
        gone_handles = [(self._library, self._known.pop(name)) for name in gone]
        added = await self._load_new(sorted(name for name in names if name not in self._known))
        self._scans_left = FULL_SCAN_INTERVAL if is_full else self._scans_left - 1
        return LibraryChanges(added, gone_handles)

    async def _load_new(self, names: Sequence[str]) -> list[StoredImage]:
        is_first = not self._known
        # Only where it saves more than it costs.
        copied = await self._digest.read() if len(names) >= MIN_RECORDS else {}
        added = [copied[name] for name in names if name in copied]
        self._known.update({name: copied[name].handle for name in names if name in copied})
        missing = [name for name in names if name not in copied]
        for batch in (missing[start : start + BATCH] for start in range(0, len(missing), BATCH)):
            for name, image in zip(batch, await self._records.load(batch), strict=True):
                if image is not None:
                    self._known[name] = image.handle
                    added.append(image)
        if is_first and len(missing) >= MIN_RECORDS:
            await self._digest.write(added)
        return added

    async def _list_names(self) -> tuple[set[str], bool]:
        """The names in the list, and whether these are all there are."""
        names: set[str] = set()
        is_full = self._scans_left <= 0
        async for page in self._client.list_pages(self._prefix):
            names |= {name for name in page if parse_dated_name(name) is not None}
            # As long as a page shows nothing that is known, more may be new.
            if not is_full and names & self._known.keys():
                return names, False
        return names, True
