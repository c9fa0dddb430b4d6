"""Give up the machines that pictures are made on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import DeleteEndpoints
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import ActionResult


@tool(toolset="aws", read_only=False, destructive=True, idempotent=True)
async def aws_delete_endpoints(request: DeleteEndpoints, context: ToolContext) -> ActionResult:
    """Delete endpoints by their exact names: their billing ends, and jobs on them are lost. Free."""
    data = await context.call(request)
    return ActionResult(provider=data["provider"], done=f"Deleted: {', '.join(data['deleted'])}.")
