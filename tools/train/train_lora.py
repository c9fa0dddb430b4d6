"""Train a LoRA."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="train", read_only=False, destructive=False, idempotent=False, waits=True)
async def train_lora(request: TrainLora, context: ToolContext) -> JobResult:
    """Train a LoRA on pictures: takes long, follow it with wait_for_jobs; its id then goes into loras. Costs money."""
    return await context.run(request)
