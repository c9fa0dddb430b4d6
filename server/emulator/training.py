"""What a LoRA training does: fetch its pictures, prepare each, learn from all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.settings import MEBIBYTE
from atelier_mcp.server.emulator.sources import SourceRefused

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.task_store import Task
    from atelier_mcp.server.emulator.world import World

PREPARE: Final = "atelier_mcp.server.engine.studio:training_picture"
LARGEST_PICTURE_BYTES: Final = 64 * MEBIBYTE
"""No service prints a limit for training pictures (lora.train.images_limits); this one only protects the emulator."""
FETCHES: Final = 8


class Trainer:
    """Renders trainings: turns their links into what the engine learns from them."""

    def __init__(self, world: World) -> None:
        """Fetch and learn with the world's sources and engine."""
        self._world = world

    async def train(self, task: Task, arguments: dict[str, Any]) -> bytes:
        """The profile learnt from ``images``; ValueError when one cannot be had or does not suit ``main_object``."""
        slots = asyncio.Semaphore(FETCHES)
        try:
            async with asyncio.TaskGroup() as group:
                preparations = [
                    group.create_task(self._prepared(link, arguments["main_object"], slots))
                    for link in arguments["images"]
                ]
        except* (ValueError, SourceRefused) as errors:
            raise ValueError(str(errors.exceptions[0])) from errors
        pictures = [preparation.result() for preparation in preparations]
        return await self._world.engine.run(task.function, pictures=pictures)

    async def _prepared(self, link: str, main_object: str, slots: asyncio.Semaphore) -> bytes:
        async with slots:
            try:
                data = await self._world.sources.download(link, most_bytes=LARGEST_PICTURE_BYTES)
            except SourceRefused as err:
                raise ValueError(f"the training picture {link} {err}") from err
            picture = await self._world.sources.unmarked(data)
            return await self._world.engine.run(PREPARE, picture=picture, main_object=main_object)
