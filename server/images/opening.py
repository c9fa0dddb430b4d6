"""Opening: from the reference a caller wrote to a picture that is there and is a picture."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.download import redact_url
from atelier_mcp.server.images.file_names import is_file_name
from atelier_mcp.server.images.handles import parse_handle
from atelier_mcp.server.images.probe import ImageHeader, probe, probe_file
from atelier_mcp.server.images.readable_files import open_readable_file
from atelier_mcp.server.images.references import (
    MAX_BYTES,
    decode_data_url,
    find_path,
    is_data_url,
    is_link,
    parse_path,
)

if TYPE_CHECKING:
    from atelier_mcp.server.images.download import Downloader
    from atelier_mcp.server.images.handles import ImageHandle
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.workers import ImageWorkers


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """A picture that is there and is a picture; ``data`` are its bytes or, of one of our own, ``store`` has them."""

    place: str
    """Where the request names it: ``controls[0].image``."""
    header: ImageHeader
    source: str
    """Where it came from, as it may be written down: its handle, a link without its query, a path, ``a data URL``."""
    handle: ImageHandle | None = None
    link: str | None = None
    """The public link it was read from."""
    data: bytes | None = None
    store: ImageStore | None = None

    async def read(self) -> bytes:
        """Its bytes, as they were found: neither turned nor converted."""
        if self.data is not None:
            return self.data
        if self.store is None or self.handle is None:
            raise ValueError("an opened picture has bytes or lies in a store")
        return await self.store.read(self.handle)


class ImageOpener:
    """Finds the pictures that callers name, and reads their headers."""

    def __init__(
        self,
        store: ImageStore,
        downloader: Downloader,
        workers: ImageWorkers,
        *,
        input_roots: tuple[Path, ...] | None,
        cwd: Path,
    ) -> None:
        """``input_roots`` are the folders local paths may lead into; None where callers are not on this machine.

        Relative paths start at ``cwd``.
        """
        self._store = store
        self._downloader = downloader
        self._workers = workers
        self._input_roots = input_roots
        self._cwd = cwd

    async def open(self, place: str, reference: str) -> OpenedImage:
        """The picture that ``reference`` names in ``place``. Raises ``ImageRefused`` and what a download raises."""
        reference = reference.strip()
        # A caller's file may be called img_1.png: with a suffix, only what has a handle's exact shape is one of ours.
        if reference.startswith(("img_", "atelier://")) and (parse_handle(reference) or not Path(reference).suffix):
            stored = await self._store.find(parse_handle(reference) or reference)
            async with self._store.open_paths([stored]) as (path,):
                header = await self._workers.run(probe_file, path)
            return OpenedImage(place, header, stored.handle, handle=stored.handle, store=self._store)
        if is_data_url(reference) and not await self._is_file_name(reference):
            data = await asyncio.to_thread(decode_data_url, reference)
            return OpenedImage(place, await self._workers.run(probe, data), "a data URL", data=data)
        if is_link(reference):
            data = await self._downloader.fetch(reference, max_bytes=MAX_BYTES)
            header = await self._workers.run(probe, data)
            return OpenedImage(place, header, redact_url(reference), link=reference, data=data)
        path, data = await asyncio.to_thread(self._read_file, reference)
        return OpenedImage(place, await self._workers.run(probe, data), str(path), data=data)

    async def _is_file_name(self, reference: str) -> bool:
        return self._input_roots is not None and await asyncio.to_thread(is_file_name, reference, self._cwd)

    def _read_file(self, reference: str) -> tuple[Path, bytes]:
        """Where a local file was found, and its bytes: read at once, since the path may lead elsewhere later."""
        if self._input_roots is None:
            parse_path(reference)
            raise ImageRefused(
                "Local files can be read only when the server runs on the caller's own machine, over stdio.",
                hint="Give a handle (img_...), an https link or a data URL.",
            )
        path = find_path(reference, self._cwd)
        with open_readable_file(path, (*self._input_roots, *self._store.local_folders)) as file:
            return file.path, file.read(MAX_BYTES)
