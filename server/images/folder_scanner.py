"""Sees what has changed in a library's folder by the times of its day folders, whoever wrote there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.images.handles import ImageHandle
from atelier_mcp.server.images.store import LibraryChanges
from atelier_mcp.server.images.stored_image import read_record_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atelier_mcp.server.images.stored_image import StoredImage


class FolderScanner:
    """Reads each JSON of a folder once."""

    def __init__(self, folder: Path, library: str) -> None:
        """Nothing is read yet."""
        self._folder = folder
        self._library = library
        self._days: dict[Path, tuple[int, frozenset[str]]] = {}
        """By day folder: when it was last changed, in nanoseconds, and the handles seen there."""

    async def scan(self) -> LibraryChanges:
        """What has changed in the folder since the last time."""
        return await asyncio.to_thread(self._scan)

    def _scan(self) -> LibraryChanges:
        added: list[StoredImage] = []
        gone: set[str] = set()
        days = set(self._list_days())
        for day in self._days.keys() - days:
            gone.update(self._days.pop(day)[1])
        for day in days:
            gone.update(self._scan_day(day, added))
        # A picture may be gone from one day and lie in another.
        present = {handle for _, handles in self._days.values() for handle in handles}
        return LibraryChanges(added, [(self._library, ImageHandle(handle)) for handle in gone - present])

    def _scan_day(self, day: Path, added: list[StoredImage]) -> Iterable[str]:
        """Add what is new in a day folder; returns the handles that are gone from it."""
        try:
            # The time before the reading: what is written meanwhile is read again.
            changed_ns = day.stat().st_mtime_ns
            last_changed_ns, known = self._days.get(day, (-1, frozenset[str]()))
            if changed_ns == last_changed_ns:
                return ()
            names = {path.stem: path for path in day.glob("img_*.json")}
        except FileNotFoundError:
            return self._days.pop(day, (0, frozenset[str]()))[1]
        fresh = [read_record_file(path, self._library) for handle, path in names.items() if handle not in known]
        added += [image for image in fresh if image is not None]
        # Not those that could not be read: they are tried again with the next change.
        seen = (known & names.keys()) | {image.handle for image in fresh if image is not None}
        self._days[day] = (changed_ns, frozenset(seen))
        return known - names.keys()

    def _list_days(self) -> list[Path]:
        try:
            return [entry for entry in self._folder.iterdir() if entry.is_dir()]
        except FileNotFoundError:
            return []
