"""Train a LoRA."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(TrainLora, Waiting):
    """The flat arguments of ``train_lora``."""


@tool(toolset="train", read_only=False, destructive=False, idempotent=False)
async def train_lora(arguments: Arguments, studio: Studio) -> JobResult:
    """Train a LoRA on pictures: takes long, follow it with wait_for_jobs; its id then goes into loras. Costs money."""
    return await run(arguments, studio)
