"""Pictures of a store elsewhere, once more on this machine: as many as fit, those used last.

    cache/images/img_k3v7q2m4x5a6b7c2.png     may go at any moment, to make room
    cache/pinned/6f0c/img_k3v7q2m4x5a6b7c2.png  the same file under a name of somebody's own, who takes it away again

Nothing in it is ever out of date, since a handle names its bytes; several processes may share the folder.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from atelier_mcp.server.images.atomic import stage_file
from atelier_mcp.server.private_files import make_private_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

log: logging.Logger = logging.getLogger(__name__)

PINNED_MAX_AGE_S: Final = 86_400.0
"""Of files that were pinned by a process that is gone, or to work in the background."""


class ImageCache:
    """A folder of pictures, bounded in bytes."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        """Nothing is read or made yet; ``folder`` may be deleted at any time."""
        self._images = folder / "images"
        self.pinned_folder: Path = folder / "pinned"
        self._max_bytes = max_bytes
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def pin(self, name: str, fetch: Callable[[], AsyncIterator[bytes]]) -> Path:
        """A file with the bytes of a picture, fetched where it is not here; ``release`` takes it away again.

        However many ask at once, it is fetched once. Raises what ``fetch`` raises.
        """
        pinned = await asyncio.to_thread(self._pin_cached, name)
        if pinned is not None:
            return pinned
        # Held by those who wait, and gone with the last of them.
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            pinned = await asyncio.to_thread(self._pin_cached, name)
            return pinned if pinned is not None else await self._fetch(name, fetch)

    async def release(self, path: Path) -> None:
        """Take away what was pinned."""
        await asyncio.to_thread(shutil.rmtree, path.parent, ignore_errors=True)

    async def add(self, name: str, data: bytes) -> None:
        """Keep the bytes of a picture that is at hand anyway; a full disk is no error."""
        try:
            await asyncio.to_thread(self._add, name, data)
        except OSError as err:
            log.warning("a picture is not kept in the cache: %s", err.strerror)

    async def discard(self, name: str) -> None:
        """Forget a picture that was deleted."""
        await asyncio.to_thread((self._images / name).unlink, missing_ok=True)

    async def _fetch(self, name: str, fetch: Callable[[], AsyncIterator[bytes]]) -> Path:
        pinned = await asyncio.to_thread(self._make_pinned_path, name)
        try:
            with await asyncio.to_thread(pinned.open, "xb") as file:
                async for piece in fetch():
                    await asyncio.to_thread(file.write, piece)
        except BaseException:
            shutil.rmtree(pinned.parent, ignore_errors=True)
            raise
        await asyncio.to_thread(self._keep, pinned)
        return pinned

    def _pin_cached(self, name: str) -> Path | None:
        cached = self._images / name
        with suppress(OSError):
            os.utime(cached)  # used now
            pinned = self._make_pinned_path(name)
            _link_or_copy(cached, pinned)
            return pinned
        return None

    def _make_pinned_path(self, name: str) -> Path:
        if not self.pinned_folder.exists():
            make_private_folder(self.pinned_folder)
        self._remove_forgotten()
        return Path(tempfile.mkdtemp(dir=self.pinned_folder)) / name

    def _remove_forgotten(self) -> None:
        oldest_s = time.time() - PINNED_MAX_AGE_S
        for entry in os.scandir(self.pinned_folder):
            with suppress(OSError):
                if entry.stat().st_mtime < oldest_s:
                    shutil.rmtree(entry.path, ignore_errors=True)

    def _keep(self, pinned: Path) -> None:
        """Put a pinned file into the cache as well, under its own name."""
        with suppress(OSError):
            make_private_folder(self._images)
            _link_or_copy(pinned, self._images / pinned.name)
            self._free_space()

    def _add(self, name: str, data: bytes) -> None:
        make_private_folder(self._images)
        with stage_file(self._images, data) as file:
            file.replace(self._images / name)
        self._free_space()

    def _free_space(self) -> None:
        """Delete what was used longest ago until the rest fits."""
        found: list[tuple[float, int, str]] = []
        for entry in os.scandir(self._images):
            with suppress(OSError):
                status = entry.stat()
                found.append((status.st_mtime, status.st_size, entry.path))
        held_bytes = 0
        for _, size_bytes, path in sorted(found, reverse=True):
            held_bytes += size_bytes
            if held_bytes > self._max_bytes:
                Path(path).unlink(missing_ok=True)


def _link_or_copy(source: Path, target: Path) -> None:
    """One file under two names, where the file system can; who is first stays."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        staged = target.with_name(f".{os.getpid()}-{target.name}")
        shutil.copyfile(source, staged)
        staged.replace(target)
