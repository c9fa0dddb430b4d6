"""Put model files into the deployment."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import AddCheckpoint
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import resolve_model_file


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False, waits=True)
async def aws_add_checkpoint(request: AddCheckpoint, context: ToolContext) -> JobResult:
    """Add a model file: upload a local one in parts, resumed after a restart, or have links fetched. Storage is billed.

    Follow a long upload with wait_for_jobs; then list_models shows it.
    """
    # Before the job: the ledger keeps a path that another process can resume from, whatever its working folder.
    file = await resolve_model_file(request.file, context.services)
    return await context.run(request.model_copy(update={"file": file}))
