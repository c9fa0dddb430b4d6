"""Write a training down."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import CreateTraining
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import DoneResult


class Arguments(CreateTraining):
    """The flat arguments of ``create_training``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def create_training(arguments: Arguments, studio: Studio) -> DoneResult:
    """Prepare a training of data sets on a base; nothing runs until start_training. Free."""
    answer = await answered(arguments, studio)
    done = f"Training {answer['training_id']} is prepared; start_training starts it, and that costs money."
    return DoneResult(provider=answer["provider"], done=done, data={"training_id": answer["training_id"]})
