"""Make a data set to train on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.datasets import CreateDataset
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.train._dataset_results import DatasetChangeResult


@tool(toolset="train", read_only=False, destructive=False, idempotent=False)
async def create_dataset(request: CreateDataset, context: ToolContext) -> DatasetChangeResult:
    """Upload pictures and make a data set of them at Miaohua; its id then goes into train_lora. Free."""
    return DatasetChangeResult.model_validate(await context.call(request))
