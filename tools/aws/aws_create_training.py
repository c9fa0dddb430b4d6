"""Write a training down."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import CreateTraining
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import ActionResult


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def aws_create_training(request: CreateTraining, context: ToolContext) -> ActionResult:
    """Prepare a training of data sets on a base; nothing runs until aws_start_training. Free."""
    data = await context.call(request)
    done = f"Training {data['training_id']} is prepared; aws_start_training starts it, and that costs money."
    return ActionResult(provider=data["provider"], done=done, data={"training_id": data["training_id"]})
