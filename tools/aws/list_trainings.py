"""See the deployment's trainings."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListTrainings
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import TrainingsResult


class Arguments(ListTrainings):
    """The flat arguments of ``list_trainings``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_trainings(arguments: Arguments, studio: Studio) -> TrainingsResult:
    """List trainings with their states, also those not started. Free."""
    return TrainingsResult.model_validate(await answered(arguments, studio))
