"""Take a model file out of use."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import DisableCheckpoint
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import ActionResult


@tool(toolset="aws", read_only=False, destructive=True, idempotent=True)
async def aws_disable_checkpoint(request: DisableCheckpoint, context: ToolContext) -> ActionResult:
    """Take a checkpoint out of use; its files stay. Free."""
    data = await context.call(request)
    return ActionResult(provider=data["provider"], done=f"Checkpoint {data['checkpoint_id']} is disabled.")
