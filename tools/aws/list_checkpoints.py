"""See the deployment's model files."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListCheckpoints
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import CheckpointsResult


class Arguments(ListCheckpoints):
    """The flat arguments of ``list_checkpoints``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_checkpoints(arguments: Arguments, studio: Studio) -> CheckpointsResult:
    """List model files with their ids and states, those not in use too. Free."""
    return CheckpointsResult.model_validate(await answered(arguments, studio))
