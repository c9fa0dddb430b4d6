"""See the deployment's data sets."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListAwsDatasets
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._direct_call import call_provider
from atelier_mcp.tools.aws._aws_results import AwsDatasetsResult


class ListAwsDatasetsArguments(ListAwsDatasets):
    """The flat arguments of ``list_aws_datasets``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_aws_datasets(arguments: ListAwsDatasetsArguments, context: ToolContext) -> AwsDatasetsResult:
    """List data sets, or the files of one. Free."""
    return AwsDatasetsResult.model_validate(await call_provider(arguments, context))
