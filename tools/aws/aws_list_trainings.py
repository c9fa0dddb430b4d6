"""See the deployment's trainings."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListTrainings
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import TrainingsResult


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def aws_list_trainings(request: ListTrainings, context: ToolContext) -> TrainingsResult:
    """List trainings with their states, also those not started. Free."""
    return TrainingsResult.model_validate(await context.call(request))
