"""Take a model file out of use."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import DisableCheckpoint
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import DoneResult


class Arguments(DisableCheckpoint):
    """The flat arguments of ``disable_checkpoint``."""


@tool(toolset="aws", read_only=False, destructive=True, idempotent=True)
async def disable_checkpoint(arguments: Arguments, studio: Studio) -> DoneResult:
    """Take a checkpoint out of use; its files stay. Free."""
    answer = await answered(arguments, studio)
    return DoneResult(provider=answer["provider"], done=f"Checkpoint {answer['checkpoint_id']} is disabled.")
