"""Stored pictures: plain files in a folder per day, named for their content, each with a JSON of how it came to be.

    images/2026-11-20/img_k3v7q2m4x5a6b7c2.png
    images/2026-11-20/img_k3v7q2m4x5a6b7c2.json
    principals/3f9a...c41e/images/2026-11-20/...

Each principal has a library of its own: the same bytes lie in two of them as two pictures, so that neither's words tell
anything of the other. That of whoever uses this machine lies above; those of others in folders named by a hash.

A file is named by the hash of its bytes. So the same picture lies there once, however often and by however many
processes it is saved, a name never comes to mean something else, and no two processes have to agree on the next one.
The JSON is written last, so a picture without one is not there yet. Nothing is ever overwritten.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.disk_errors import explain_disk_error
from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.atomic import publish_file, stage_file
from atelier_mcp.server.images.formats import SUFFIXES
from atelier_mcp.server.images.handles import ImageHandle, compute_handle, is_handle, parse_handle
from atelier_mcp.server.images.library_keys import LIBRARIES, get_library_key
from atelier_mcp.server.images.probe import probe
from atelier_mcp.server.images.provenance import DrawnMask, parse_provenance, provenance_to_document
from atelier_mcp.server.private_files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.images.provenance import Provenance
    from atelier_mcp.server.images.workers import ImageWorkers

_PROBE_BYTES: Final = 65_536
_CACHE_SIZE = 4096
"""How many pictures are found again without touching a JSON."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One stored picture. Width and height in pixels, upright."""

    handle: ImageHandle
    path: Path
    media_type: str
    width: int
    height: int
    size_bytes: int
    created_at: datetime
    provenance: Provenance
    """How it came to be."""
    library: str = ""
    """The key of the library that it lies in."""


class ImageStore:
    """The pictures of one library, shared with every other process that uses the same data folder."""

    def __init__(self, root: Path, workers: ImageWorkers | None = None, *, library: str = "") -> None:
        """Keep pictures in the data folder ``root``; nothing is created before the first picture is kept.

        ``workers`` read what is to be kept; a store without them is only read from. ``library`` is a key as
        ``get_library_key`` gives it, by default that of whoever uses this machine.
        """
        self.root: Path = root
        self.library: str = library
        self.folder: Path = (root / LIBRARIES / library if library else root) / "images"
        self.workers: ImageWorkers | None = workers
        self._cache: dict[ImageHandle, StoredImage] = {}
        self._cache_lock = threading.Lock()

    def for_owner(self, owner: str) -> ImageStore:
        """The library of the principal of that name, in the same data folder."""
        return self.for_library(get_library_key(owner))

    def for_library(self, key: str) -> ImageStore:
        """The library of that key, in the same data folder."""
        return self if key == self.library else ImageStore(self.root, self.workers, library=key)

    def list_folders(self) -> list[Path]:
        """Where the pictures lie that are found here."""
        return [self.folder]

    async def save(self, data: bytes, *, provenance: Provenance, now: datetime) -> StoredImage:
        """Store a picture whose pixels are known to be sound, or find it if it is stored already.

        The first file of the same bytes stays, with its date and its ``provenance``. Raises ``ImageRefused`` when the
        bytes are no picture.
        """
        if self.workers is None:
            raise ValueError("a store without workers is only read from")
        header = await self.workers.run(probe, data)
        return await asyncio.to_thread(self._save, data, header, provenance, now)

    async def find_disk_trouble(self) -> str:
        """Why no picture can be stored at the moment, in words; "" where one can."""
        return await asyncio.to_thread(self._find_disk_trouble)

    async def find(self, handle: str) -> StoredImage:
        """The picture of that handle, however it is written. Raises ``ImageRefused`` when none is stored."""
        stored = await asyncio.to_thread(self._find, parse_handle(handle) or handle)
        if stored is None:
            raise ImageRefused(
                f"No picture is stored under {handle[:40]}.",
                hint="Handles come from answers of earlier calls; import_image makes one of a link, a path or a data "
                "URL, list_jobs shows the pictures already made.",
            )
        return stored

    async def read(self, handle: str) -> bytes:
        """The bytes of a picture. Raises ``ImageRefused`` when none is stored under that name."""
        stored = await self.find(handle)
        return await asyncio.to_thread(stored.path.read_bytes)

    async def list_recent(self, limit: int, offset: int = 0) -> list[StoredImage]:
        """Pictures newest first, ``limit`` of them after the first ``offset``."""
        return await asyncio.to_thread(lambda: list(islice(self.iterate_newest_first(), offset, offset + limit)))

    async def delete(self, image: StoredImage) -> None:
        """Take a picture out of the library for good. What was made of it stays."""
        await asyncio.to_thread(self._delete, image)

    async def find_newest_mask(self, image: StoredImage) -> StoredImage | None:
        """The mask that was last drawn over a picture; None where there is none."""
        return await asyncio.to_thread(self._find_newest_mask, image)

    def _find_disk_trouble(self) -> str:
        try:
            make_private_folder(self.folder)
            # Written, not only created: on a full disk an empty file still fits.
            with tempfile.TemporaryFile(dir=self.folder, buffering=0) as probe_file:
                probe_file.write(bytes(_PROBE_BYTES))
        except OSError as err:
            return explain_disk_error(err) or "nothing can be written"
        return ""

    def _save(self, data: bytes, header: ImageHeader, provenance: Provenance, now: datetime) -> StoredImage:
        handle = compute_handle(data)
        day = self.folder / now.astimezone(UTC).date().isoformat()
        make_private_folder(day)
        stored = _build_stored_image(handle, day, header, provenance, now, library=self.library)
        metadata = json.dumps(_to_document(stored), ensure_ascii=False, indent=2).encode()
        # On whatever day: within one the name alone would keep it from being stored twice.
        existing = self.find_own(handle)
        if existing is not None:
            return existing
        # Both files are complete under passing names before either gets its own: a process that is killed in between
        # leaves no half picture under a handle.
        with stage_file(day, data) as image_file, stage_file(day, metadata) as metadata_file:
            # The order within a day is then known without reading every JSON.
            os.utime(metadata_file, (now.timestamp(), now.timestamp()))
            # An image that is there already has these bytes, and whoever put it there may have been killed before its
            # JSON: only the JSON decides who was first.
            publish_file(image_file, stored.path)
            was_published = publish_file(metadata_file, stored.path.with_suffix(".json"))
        # Another process was first: its record counts, and ours only where that cannot be read.
        return self._remember(stored) if was_published else self.find_own(handle) or self._remember(stored)

    def _find(self, handle: str) -> StoredImage | None:
        return self.find_own(handle)

    def find_own(self, handle: str) -> StoredImage | None:
        """The picture of that handle in this very library. Blocks."""
        if not is_handle(handle):
            return None
        cached = self._cache.get(ImageHandle(handle))
        # People take files out of the folder, of which no cache hears.
        if cached is not None and cached.path.exists():
            return cached
        for day in self._list_day_folders():
            stored = _read_metadata(day / f"{handle}.json", self.library)
            if stored is not None:
                return self._remember(stored)
        return None

    def _delete(self, image: StoredImage) -> None:
        # The JSON first: without it the picture is no longer there, whatever happens next.
        image.path.with_suffix(".json").unlink(missing_ok=True)
        image.path.unlink(missing_ok=True)
        with self._cache_lock:
            self._cache.pop(image.handle, None)

    def _find_newest_mask(self, image: StoredImage) -> StoredImage | None:
        for stored in self.iterate_newest_first():
            # Nothing of a picture is older than itself; days are enough, so that clocks may differ a little.
            if stored.created_at.date() < image.created_at.date():
                return None
            if isinstance(stored.provenance, DrawnMask) and stored.provenance.image == image.handle:
                return stored
        return None

    def iterate_newest_first(self) -> Iterator[StoredImage]:
        """Every picture that is found here. Blocks."""
        for day in self._list_day_folders():
            metadata_files = sorted(day.glob("img_*.json"), key=lambda note: (-note.stat().st_mtime_ns, note.name))
            found = (_read_metadata(path, self.library) for path in metadata_files)
            yield from (stored for stored in found if stored is not None)

    def _list_day_folders(self) -> list[Path]:
        """The day folders, newest first."""
        try:
            return sorted((entry for entry in self.folder.iterdir() if entry.is_dir()), reverse=True)
        except FileNotFoundError:
            return []

    def _remember(self, stored: StoredImage) -> StoredImage:
        with self._cache_lock:
            # The one that was remembered first makes room.
            if len(self._cache) >= _CACHE_SIZE:
                del self._cache[next(iter(self._cache))]
            self._cache[stored.handle] = stored
        return stored


def _build_stored_image(
    handle: ImageHandle, day: Path, header: ImageHeader, provenance: Provenance, now: datetime, *, library: str
) -> StoredImage:
    return StoredImage(
        handle=handle,
        path=day / f"{handle}{SUFFIXES[header.media_type]}",
        media_type=header.media_type,
        width=header.width,
        height=header.height,
        size_bytes=header.size_bytes,
        created_at=now,
        provenance=provenance,
        library=library,
    )


def _to_document(stored: StoredImage) -> dict[str, Any]:
    return {
        "file": stored.path.name,
        "media_type": stored.media_type,
        "width": stored.width,
        "height": stored.height,
        "size_bytes": stored.size_bytes,
        "created_at": stored.created_at.isoformat(),
        "made": provenance_to_document(stored.provenance),
    }


def _read_metadata(path: Path, library: str) -> StoredImage | None:
    """The picture a JSON tells of; None when the JSON or the picture is not there, or the JSON is not one of ours."""
    try:
        metadata = json.loads(path.read_bytes())
        stored = StoredImage(
            handle=ImageHandle(path.stem),
            path=path.with_suffix(SUFFIXES[metadata["media_type"]]),
            media_type=metadata["media_type"],
            width=int(metadata["width"]),
            height=int(metadata["height"]),
            size_bytes=int(metadata["size_bytes"]),
            created_at=datetime.fromisoformat(metadata["created_at"]),
            provenance=parse_provenance(metadata.get("made")),
            library=library,
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return stored if stored.path.exists() else None
