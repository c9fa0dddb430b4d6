"""See what the service itself has on record."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListInferenceJobs
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import InferencesResult


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def aws_list_inference_jobs(request: ListInferenceJobs, context: ToolContext) -> InferencesResult:
    """List the service's own inference jobs, those of others too, or one with its parameters. Free."""
    return InferencesResult.model_validate(await context.call(request))
