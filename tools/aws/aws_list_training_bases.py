"""See what can be trained on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListTrainingBases
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import TrainingBasesResult


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def aws_list_training_bases(request: ListTrainingBases, context: ToolContext) -> TrainingBasesResult:
    """List training bases with their states. Free."""
    return TrainingBasesResult.model_validate(await context.call(request))
