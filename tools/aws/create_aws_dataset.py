"""Upload pictures to train on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import CreateAwsDataset
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job
from atelier_mcp.tools.aws._aws_results import resolve_local_images


class CreateAwsDatasetArguments(CreateAwsDataset, WaitArguments):
    """The flat arguments of ``create_aws_dataset``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def create_aws_dataset(arguments: CreateAwsDatasetArguments, context: ToolContext) -> JobResult:
    """Upload local pictures as a data set for create_training. Storage is billed."""
    files = await resolve_local_images(arguments.files, context.services)
    return await run_job(arguments.model_copy(update={"files": files}), context)
