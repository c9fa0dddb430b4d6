"""Put a picture into words."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.understand import DescribeImage
from atelier_mcp.server.tool_context import ToolContext


@tool(
    toolset="understand", read_only=False, destructive=False, idempotent=False, waits=True, hidden_options=("wait_s",)
)
async def describe_image(request: DescribeImage, context: ToolContext) -> JobResult:
    """Describe a picture in words. Costs a call, no picture."""
    return await context.run(request)
