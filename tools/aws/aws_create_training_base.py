"""Make a model ready to be trained on."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import CreateTrainingBase
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import resolve_model_file


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False, waits=True)
async def aws_create_training_base(request: CreateTrainingBase, context: ToolContext) -> JobResult:
    """Make a training base of a checkpoint. COSTS MONEY: a machine works on it; only on request."""
    file = await resolve_model_file(request.file, context.services)
    return await context.run(request.model_copy(update={"file": file}))
