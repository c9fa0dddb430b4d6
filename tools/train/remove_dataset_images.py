"""Take pictures out of a data set."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.datasets import RemoveDatasetImages
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.train._dataset_results import DatasetChangeResult


@tool(toolset="train", read_only=False, destructive=True, idempotent=False)
async def remove_dataset_images(request: RemoveDatasetImages, context: ToolContext) -> DatasetChangeResult:
    """Take pictures out of a data set at Miaohua; those in the library stay. Free."""
    return DatasetChangeResult.model_validate(await context.call(request))
