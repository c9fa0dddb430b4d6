"""See the deployment's data sets."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListAwsDatasets
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import AwsDatasetsResult


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def aws_list_datasets(request: ListAwsDatasets, context: ToolContext) -> AwsDatasetsResult:
    """List data sets, or the files of one. Free."""
    return AwsDatasetsResult.model_validate(await context.call(request))
