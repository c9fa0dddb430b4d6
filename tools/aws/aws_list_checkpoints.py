"""See the deployment's model files."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListCheckpoints
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import CheckpointsResult


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def aws_list_checkpoints(request: ListCheckpoints, context: ToolContext) -> CheckpointsResult:
    """List model files with their ids and states, those not in use too. Free."""
    return CheckpointsResult.model_validate(await context.call(request))
