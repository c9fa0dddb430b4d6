"""Stored pictures as plain files in a folder per day, named for their content, each with a JSON of how it came to be.

    images/2026-11-20/img_k3v7q2m4x5a6b7c2.png
    images/2026-11-20/img_k3v7q2m4x5a6b7c2.json
    principals/3f9a...c41e/images/2026-11-20/...

The library of whoever uses this machine lies above; those of others in folders named by a hash.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.disk_errors import explain_disk_error
from atelier_mcp.server.images.atomic import publish_file, stage_file
from atelier_mcp.server.images.folder_scanner import FolderScanner
from atelier_mcp.server.images.library_keys import LIBRARIES, list_library_keys
from atelier_mcp.server.images.provenance import DrawnMask
from atelier_mcp.server.images.store import ImageFiles, ImageStore, build_missing_error
from atelier_mcp.server.images.stored_image import encode_record, read_record_file
from atelier_mcp.server.private_files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from atelier_mcp.server.images.handles import ImageHandle
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.images.workers import ImageWorkers

_PROBE_BYTES: Final = 65_536
_CACHE_SIZE = 4096
"""How many pictures are found again without touching a JSON."""
_PIECE_BYTES = 256 * 1024


class FolderStore(ImageStore):
    """The pictures of one library in a data folder."""

    def __init__(self, root: Path, workers: ImageWorkers | None = None, *, library: str = "") -> None:
        """Keep pictures in the data folder ``root``; nothing is created before the first picture is kept."""
        super().__init__(workers, library=library)
        self.root: Path = root
        self.folder: Path = (root / LIBRARIES / library if library else root) / "images"
        self._cache: dict[ImageHandle, StoredImage] = {}
        self._cache_lock = threading.Lock()

    @property
    def local_folders(self) -> tuple[Path, ...]:
        """The library's own folder."""
        return (self.folder,)

    def for_library(self, key: str) -> FolderStore:
        """The library of that key, in the same data folder."""
        return self if key == self.library else FolderStore(self.root, self.workers, library=key)

    def list_libraries_blocking(self) -> Sequence[str]:
        """The keys of the libraries in the data folder. Blocks."""
        return list_library_keys(self.root)

    async def put(self, data: bytes, image: StoredImage) -> StoredImage:
        """Write the file, then the JSON beside it, unless it lies there under whatever day."""
        return await asyncio.to_thread(self._put, data, image)

    async def find_disk_trouble(self) -> str:
        """Why nothing can be written to the library's folder; "" where something can."""
        return await asyncio.to_thread(self._find_disk_trouble)

    async def look_up(self, handle: ImageHandle) -> StoredImage | None:
        """The picture of that handle; None when none is stored."""
        return await asyncio.to_thread(self._look_up, handle)

    async def read_image(self, image: StoredImage) -> bytes:
        """The bytes of its file."""
        try:
            return await asyncio.to_thread(_get_path(image).read_bytes)
        except FileNotFoundError as err:
            raise build_missing_error(image.handle) from err

    async def stream(self, image: StoredImage, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of its file in pieces."""
        left = image.size_bytes if end is None else max(0, end - start)
        try:
            file = await asyncio.to_thread(_get_path(image).open, "rb")
        except FileNotFoundError as err:
            raise build_missing_error(image.handle) from err
        with file:
            file.seek(start)
            while piece := await asyncio.to_thread(file.read, min(left, _PIECE_BYTES)):
                left -= len(piece)
                yield piece

    @asynccontextmanager
    async def open_paths(self, images: Sequence[StoredImage]) -> AsyncGenerator[list[Path]]:
        """The files themselves."""
        yield [_get_path(image) for image in images]

    async def export(self, image: StoredImage) -> Path:
        """The file itself."""
        return _get_path(image)

    async def list_recent(self, limit: int, offset: int = 0) -> list[StoredImage]:
        """Pictures newest first, ``limit`` of them after the first ``offset``."""
        return await asyncio.to_thread(lambda: list(islice(self._iterate_newest_first(), offset, offset + limit)))

    async def find_newest_mask(self, image: StoredImage) -> StoredImage | None:
        """The mask that was last drawn over a picture; None where there is none."""
        return await asyncio.to_thread(self._find_newest_mask, image)

    async def delete(self, image: StoredImage) -> None:
        """Delete its JSON, then its file."""
        await asyncio.to_thread(self._delete, image)

    def create_scanner(self) -> FolderScanner:
        """A scanner of this folder."""
        return FolderScanner(self.folder, self.library)

    def create_link(self, image: StoredImage, expires_s: int) -> str | None:  # noqa: ARG002  # the protocol's
        """None: a folder cannot be reached from outside."""
        return None

    def iterate_files(self) -> Iterator[ImageFiles]:
        """Every picture with its files, also one whose JSON is missing. Blocks."""
        for day in self.folder.glob("????-??-??"):
            names: dict[str, list[Path]] = {}
            for path in day.glob("img_*"):
                names.setdefault(path.stem, []).append(path)
            for handle, paths in names.items():
                ordered = sorted(paths, key=lambda path: path.suffix != ".json")
                with suppress(OSError):
                    size_bytes = sum(map(_get_size, ordered))
                    yield ImageFiles(tuple(map(str, ordered)), handle, size_bytes, ordered[0].stat().st_mtime)

    def delete_files(self, files: ImageFiles) -> None:
        """Delete the files of a picture, and its day where it was the last one of it. Blocks."""
        with suppress(OSError):
            for name in files.names:
                Path(name).unlink(missing_ok=True)
            Path(files.names[0]).parent.rmdir()  # refused unless it is empty

    def _find_disk_trouble(self) -> str:
        try:
            make_private_folder(self.folder)
            # Written, not only created: on a full disk an empty file still fits.
            with tempfile.TemporaryFile(dir=self.folder, buffering=0) as probe_file:
                # A disk with room for a part takes that, and says so by the count alone; the rest then fails.
                rest = memoryview(bytes(_PROBE_BYTES))
                while rest:
                    rest = rest[probe_file.write(rest) :]
        except OSError as err:
            return explain_disk_error(err) or "nothing can be written"
        return ""

    def _put(self, data: bytes, image: StoredImage) -> StoredImage:
        day = self.folder / image.created_at.astimezone(UTC).date().isoformat()
        make_private_folder(day)
        # On whatever day: within one the name alone would keep it from being stored twice.
        existing = self._look_up(image.handle)
        if existing is not None:
            return existing
        path = day / image.name
        # Both files are complete under passing names before either gets its own: a process that is killed in between
        # leaves no half picture under a handle.
        with stage_file(day, data) as image_file, stage_file(day, encode_record(image)) as record_file:
            # The order within a day is then known without reading every JSON.
            os.utime(record_file, (image.created_at.timestamp(), image.created_at.timestamp()))
            # An image that is there already has these bytes, and whoever put it there may have been killed before its
            # JSON: only the JSON decides who was first.
            publish_file(image_file, path)
            was_published = publish_file(record_file, path.with_suffix(".json"))
        stored = replace(image, path=path)
        # Another process was first: its record counts, and ours only where that cannot be read.
        return self._remember(stored) if was_published else self._look_up(image.handle) or self._remember(stored)

    def _look_up(self, handle: ImageHandle) -> StoredImage | None:
        cached = self._cache.get(handle)
        # People take files out of the folder, of which no cache hears.
        if cached is not None and _get_path(cached).exists():
            return cached
        for day in self._list_day_folders():
            stored = read_record_file(day / f"{handle}.json", self.library)
            if stored is not None:
                return self._remember(stored)
        return None

    def _delete(self, image: StoredImage) -> None:
        # The JSON first: without it the picture is no longer there, whatever happens next.
        _get_path(image).with_suffix(".json").unlink(missing_ok=True)
        _get_path(image).unlink(missing_ok=True)
        with self._cache_lock:
            self._cache.pop(image.handle, None)

    def _find_newest_mask(self, image: StoredImage) -> StoredImage | None:
        for stored in self._iterate_newest_first():
            # Nothing of a picture is older than itself; days are enough, so that clocks may differ a little.
            if stored.created_at.date() < image.created_at.date():
                return None
            if isinstance(stored.provenance, DrawnMask) and stored.provenance.image == image.handle:
                return stored
        return None

    def _iterate_newest_first(self) -> Iterator[StoredImage]:
        for day in self._list_day_folders():
            record_files = sorted(day.glob("img_*.json"), key=lambda record: (-record.stat().st_mtime_ns, record.name))
            found = (read_record_file(path, self.library) for path in record_files)
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


def _get_path(image: StoredImage) -> Path:
    if image.path is None:
        raise ValueError(f"{image.handle} is not one of a folder")
    return image.path


def _get_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
