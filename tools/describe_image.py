"""Put a picture into words."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.understand import DescribeImage
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class DescribeImageArguments(DescribeImage, WaitArguments):
    """The flat arguments of ``describe_image``."""


@tool(toolset="understand", read_only=False, destructive=False, idempotent=False)
async def describe_image(arguments: DescribeImageArguments, context: ToolContext) -> JobResult:
    """Describe a picture in words."""
    return await run_job(arguments, context)
