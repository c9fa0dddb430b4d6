"""Make pictures from words."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="create", read_only=False, destructive=False, idempotent=False, waits=True, opens_studio=True)
async def generate_image(request: GenerateImage, context: ToolContext) -> JobResult:
    """Make 1-8 pictures from a prompt, or a picture and a prompt. Costs money."""
    return await context.run(request)
