"""Set a prepared training going."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import StartTraining
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False, waits=True)
async def aws_start_training(request: StartTraining, context: ToolContext) -> JobResult:
    """Start a prepared training; only on request. COSTS MONEY until it ends. Follow it with wait_for_jobs."""
    return await context.run(request)
