"""See the deployment's data sets."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListAwsDatasets
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import AwsDatasetsResult


class Arguments(ListAwsDatasets):
    """The flat arguments of ``list_aws_datasets``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_aws_datasets(arguments: Arguments, studio: Studio) -> AwsDatasetsResult:
    """List data sets, or the files of one. Free."""
    return AwsDatasetsResult.model_validate(await answered(arguments, studio))
