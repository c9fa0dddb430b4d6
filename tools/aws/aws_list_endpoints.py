"""See the machines that pictures are made on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListEndpoints
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import EndpointsResult


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def aws_list_endpoints(request: ListEndpoints, context: ToolContext) -> EndpointsResult:
    """List inference endpoints with their states; pictures need one InService. Free."""
    return EndpointsResult.model_validate(await context.call(request))
