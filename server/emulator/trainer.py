"""What a LoRA training does: fetch its pictures, prepare each, learn from all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.settings import MEBIBYTE
from atelier_mcp.server.emulator.sources import SourceError

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

PREPARE: Final = "training_image"
LARGEST_IMAGE_BYTES: Final = 64 * MEBIBYTE
"""No service prints a limit for training pictures (lora.train.images_limits); this one only protects the emulator."""
PARALLEL_FETCHES: Final = 8


class Trainer:
    """Renders trainings: turns their links into what the engine learns from them."""

    def __init__(self, emulator: EmulatorState) -> None:
        """Fetch and learn with the emulator's sources and engine."""
        self._emulator = emulator

    async def train(self, task: TaskRecord, arguments: dict[str, Any]) -> bytes:
        """The profile learnt from ``images``; ValueError when one cannot be had or does not suit ``main_object``."""
        slots = asyncio.Semaphore(PARALLEL_FETCHES)
        try:
            async with asyncio.TaskGroup() as group:
                preparations = [
                    group.create_task(self._prepare(link, arguments["main_object"], slots))
                    for link in arguments["images"]
                ]
        # The first of them: one bad picture is enough to refuse, and the reader mends one at a time.
        except* (ValueError, SourceError) as errors:
            raise ValueError(str(errors.exceptions[0])) from errors
        images = [preparation.result() for preparation in preparations]
        return await self._emulator.run_engine(task.function, images=images)

    async def _prepare(self, link: str, main_object: str, slots: asyncio.Semaphore) -> bytes:
        async with slots:
            try:
                data = await self._emulator.sources.download(link, most_bytes=LARGEST_IMAGE_BYTES)
            except SourceError as err:
                raise ValueError(f"the training picture {link} {err}") from err
            image = await self._emulator.sources.find_unmarked(data)
            return await self._emulator.run_engine(PREPARE, image=image, main_object=main_object)
