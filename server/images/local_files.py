"""Files of this machine that a caller hands on as they are, pictures or not: found, allowed, and not read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.references import parse_path, resolve_readable_file

if TYPE_CHECKING:
    from atelier_mcp.server.images.store import ImageStore

MAX_BYTES = 64_000_000_000
"""Larger than any model file there is."""


class LocalFiles:
    """The files that callers over stdio may name."""

    def __init__(self, store: ImageStore, *, input_roots: tuple[Path, ...] | None, cwd: Path | None = None) -> None:
        """``input_roots`` are the folders paths may lead into; None where callers are not on this machine."""
        self._store = store
        self._input_roots = input_roots
        self._cwd = cwd or Path.cwd()

    async def find(self, reference: str) -> Path:
        """The file behind a path, or behind a picture's handle.

        Raises ``ImageRefused`` when it is not there, or not in a folder that files may be read from.
        """
        reference = reference.strip()
        if reference.startswith("img_") and not Path(reference).suffix:
            return (await self._store.find(reference)).path
        if self._input_roots is None:
            raise ImageRefused(
                "Local files can be read only when the server runs on the caller's own machine, over stdio.",
                hint="Give a picture's handle, or links where the service fetches files itself.",
            )
        roots = (*self._input_roots, self._store.folder)
        return await asyncio.to_thread(
            resolve_readable_file, self._cwd / parse_path(reference), roots, max_bytes=MAX_BYTES
        )
