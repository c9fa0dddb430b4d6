"""Stored pictures: plain files in a folder per day, named for their content, each with a JSON of how it was made.

    images/2026-11-20/img_k3v7q2m4x5a6b7c2.png
    images/2026-11-20/img_k3v7q2m4x5a6b7c2.json

The JSON is written last, so a picture without one is not there yet. Nothing is ever overwritten.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.atomic import published, staged
from atelier_mcp.server.images.formats import SUFFIXES
from atelier_mcp.server.images.handles import ImageHandle, handle_in, handle_of, is_handle
from atelier_mcp.server.images.probe import Header, probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_REMEMBERED = 4096
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
    made: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """How it came to be, as its maker told: prompt, seed, model, or where it was imported from."""


class ImageStore:
    """The pictures under one data folder, shared with every other process that uses the same folder."""

    def __init__(self, root: Path) -> None:
        """Keep pictures under ``root / "images"``; nothing is created before the first picture is kept."""
        self.folder = root / "images"
        self._found: dict[ImageHandle, StoredImage] = {}
        self._remembering = threading.Lock()

    async def keep(
        self,
        data: bytes,
        *,
        made: Mapping[str, Any],
        now: datetime,
        check: Callable[[bytes], object] | None = None,
    ) -> StoredImage:
        """Store a picture whose pixels are known to be sound, or find it if it is stored already.

        ``check`` (``probe.verify``) makes sure of them first, in the same thread. The first file of the same bytes
        stays, with its date and its ``made``. Raises ``ImageRefused`` when the bytes are no picture, and whatever
        ``check`` raises.
        """

        def checked() -> StoredImage:
            if check is not None:
                check(data)
            return self._keep(data, made, now)

        return await asyncio.to_thread(checked)

    async def find(self, handle: str) -> StoredImage:
        """The picture of that handle, however it is written. Raises ``ImageRefused`` when none is stored."""
        stored = await asyncio.to_thread(self._find, handle_in(handle) or handle)
        if stored is None:
            raise ImageRefused(
                f"No picture is stored under {handle[:40]}.",
                then="Handles come from answers of earlier calls; import_image makes one of a link, a path or a data "
                "URL, list_jobs shows the pictures already made.",
            )
        return stored

    async def read(self, handle: str) -> bytes:
        """The bytes of a picture. Raises ``ImageRefused`` when none is stored under that name."""
        stored = await self.find(handle)
        return await asyncio.to_thread(stored.path.read_bytes)

    async def recent(self, limit: int, offset: int = 0) -> list[StoredImage]:
        """Pictures newest first, ``limit`` of them after the first ``offset``."""
        return await asyncio.to_thread(lambda: list(islice(self._newest_first(), offset, offset + limit)))

    def _keep(self, data: bytes, made: Mapping[str, Any], now: datetime) -> StoredImage:
        header = probe(data)
        handle = handle_of(data)
        day = self.folder / now.astimezone(UTC).date().isoformat()
        day.mkdir(parents=True, exist_ok=True)
        stored = _stored(handle, day, header, made, now)
        note = json.dumps(_document(stored), ensure_ascii=False, indent=2).encode()
        first = self._find(handle)
        if first is not None:
            return first
        with staged(day, data) as picture, staged(day, note) as notes:
            os.utime(notes, (now.timestamp(), now.timestamp()))  # the order within a day, without reading the JSON
            ours = published(picture, stored.path) and published(notes, stored.path.with_suffix(".json"))
        return self._remember(stored) if ours else self._find(handle) or self._remember(stored)

    def _find(self, handle: str) -> StoredImage | None:
        if not is_handle(handle):
            return None
        known = self._found.get(ImageHandle(handle))
        if known is not None and known.path.exists():
            return known
        for day in self._days():
            stored = _read_note(day / f"{handle}.json")
            if stored is not None:
                return self._remember(stored)
        return None

    def _newest_first(self) -> Iterator[StoredImage]:
        for day in self._days():
            notes = sorted(day.glob("img_*.json"), key=lambda note: (-note.stat().st_mtime_ns, note.name))
            yield from (stored for stored in map(_read_note, notes) if stored is not None)

    def _days(self) -> list[Path]:
        """The day folders, newest first."""
        try:
            return sorted((entry for entry in self.folder.iterdir() if entry.is_dir()), reverse=True)
        except FileNotFoundError:
            return []

    def _remember(self, stored: StoredImage) -> StoredImage:
        with self._remembering:
            if len(self._found) >= _REMEMBERED:
                del self._found[next(iter(self._found))]
            self._found[stored.handle] = stored
        return stored


def _stored(handle: ImageHandle, day: Path, header: Header, made: Mapping[str, Any], now: datetime) -> StoredImage:
    return StoredImage(
        handle=handle,
        path=day / f"{handle}{SUFFIXES[header.media_type]}",
        media_type=header.media_type,
        width=header.width,
        height=header.height,
        size_bytes=header.size_bytes,
        created_at=now,
        made=dict(made),
    )


def _document(stored: StoredImage) -> dict[str, Any]:
    return {
        "file": stored.path.name,
        "media_type": stored.media_type,
        "width": stored.width,
        "height": stored.height,
        "size_bytes": stored.size_bytes,
        "created_at": stored.created_at.isoformat(),
        "made": dict(stored.made),
    }


def _read_note(path: Path) -> StoredImage | None:
    """The picture a JSON tells of; None when the JSON or the picture is not there, or the JSON is not one of ours."""
    try:
        note = json.loads(path.read_bytes())
        stored = StoredImage(
            handle=ImageHandle(path.stem),
            path=path.with_suffix(SUFFIXES[note["media_type"]]),
            media_type=note["media_type"],
            width=int(note["width"]),
            height=int(note["height"]),
            size_bytes=int(note["size_bytes"]),
            created_at=datetime.fromisoformat(note["created_at"]),
            made=dict(note["made"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return stored if stored.path.exists() else None
