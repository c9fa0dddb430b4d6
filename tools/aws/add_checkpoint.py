"""Put model files into the deployment."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import AddCheckpoint
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job
from atelier_mcp.tools.aws._aws_results import resolve_local_file


class AddCheckpointArguments(AddCheckpoint, WaitArguments):
    """The flat arguments of ``add_checkpoint``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def add_checkpoint(arguments: AddCheckpointArguments, context: ToolContext) -> JobResult:
    """Add a model file: upload a local one in parts, resumed after a restart, or have links fetched. Storage is billed.

    Follow a long upload with wait_for_jobs; then list_models shows it.
    """
    file = await resolve_local_file(arguments.file, context.services)
    return await run_job(arguments.model_copy(update={"file": file}), context)
