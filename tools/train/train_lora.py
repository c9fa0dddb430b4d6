"""Train a LoRA."""

from __future__ import annotations

from atelier.server.registry import tool
from atelier.server.requests.train import TrainLora
from atelier.server.studio import Studio
from atelier.tools._results import JobResult
from atelier.tools._waiting import Waiting, run


class Arguments(TrainLora, Waiting):
    """The flat arguments of ``train_lora``."""


@tool(toolset="train", read_only=False, destructive=False, idempotent=False)
async def train_lora(arguments: Arguments, studio: Studio) -> JobResult:
    """Train a LoRA on pictures: takes long, follow it with wait_for_jobs; its id then goes into loras. Costs money."""
    return await run(arguments, studio)
