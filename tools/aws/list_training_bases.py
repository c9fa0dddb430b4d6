"""See what can be trained on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListTrainingBases
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import BasesResult


class Arguments(ListTrainingBases):
    """The flat arguments of ``list_training_bases``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_training_bases(arguments: Arguments, studio: Studio) -> BasesResult:
    """List training bases with their states. Free."""
    return BasesResult.model_validate(await answered(arguments, studio))
