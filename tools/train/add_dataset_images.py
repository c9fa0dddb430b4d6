"""Add pictures to a data set."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.datasets import AddDatasetImages
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.train._dataset_results import DatasetChangeResult


@tool(toolset="train", read_only=False, destructive=False, idempotent=True)
async def add_dataset_images(request: AddDatasetImages, context: ToolContext) -> DatasetChangeResult:
    """Upload pictures and add them to a data set at Miaohua. Free."""
    return DatasetChangeResult.model_validate(await context.call(request))
