"""Small JPEGs of stored pictures, made once and kept in the data folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.atomic import stage_file
from atelier_mcp.server.images.preview import create_view

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.images.workers import ImageWorkers

LONGEST_PX: Final = 480
"""A row of the wall at its highest, on a screen of ordinary density."""
MAX_BYTES: Final = 60_000
MAX_AT_ONCE: Final = 2
"""A fast scroll must not take every core from the server."""


class Thumbnails:
    """The thumbnails of one data folder."""

    def __init__(self, root: Path) -> None:
        """Keep them under ``root / "thumbnails"``; the folder may be deleted at any time."""
        self._folder = root / "thumbnails"
        self._limit = asyncio.Semaphore(MAX_AT_ONCE)

    async def get_path(self, image: StoredImage, store: ImageStore, workers: ImageWorkers) -> Path:
        """The file of a picture's thumbnail, which is made where it is missing. Raises ``ImageRefused``."""
        # In folders by the first letters: one folder of a hundred thousand files is slow to look into.
        path = self._folder / image.handle[4:6] / f"{image.handle}.jpg"
        if not await asyncio.to_thread(path.exists):
            async with self._limit, store.open_paths([image]) as (file,):
                thumbnail = await workers.run(create_view, file, longest_px=LONGEST_PX, budget_bytes=MAX_BYTES)
            await asyncio.to_thread(_publish, path, thumbnail.data)
        return path

    async def forget(self, handle: str) -> None:
        """Delete the thumbnail of a picture that is gone."""
        path = self._folder / handle[4:6] / f"{handle}.jpg"
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _publish(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with stage_file(path.parent, data) as file:
        file.replace(path)
