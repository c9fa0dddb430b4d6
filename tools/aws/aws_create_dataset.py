"""Upload pictures to train on."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import CreateAwsDataset
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import resolve_local_images


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False, waits=True)
async def aws_create_dataset(request: CreateAwsDataset, context: ToolContext) -> JobResult:
    """Upload local pictures as a data set for aws_create_training. Storage is billed."""
    files = await resolve_local_images(request.files, context.services)
    return await context.run(request.model_copy(update={"files": files}))
