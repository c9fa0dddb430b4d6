"""See what can be trained on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListTrainingBases
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._direct_call import call_provider
from atelier_mcp.tools.aws._aws_results import TrainingBasesResult


class ListTrainingBasesArguments(ListTrainingBases):
    """The flat arguments of ``list_training_bases``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_training_bases(arguments: ListTrainingBasesArguments, context: ToolContext) -> TrainingBasesResult:
    """List training bases with their states. Free."""
    return TrainingBasesResult.model_validate(await call_provider(arguments, context))
