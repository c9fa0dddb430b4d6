"""Train a LoRA."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class TrainLoraArguments(TrainLora, WaitArguments):
    """The flat arguments of ``train_lora``."""


@tool(toolset="train", read_only=False, destructive=False, idempotent=False)
async def train_lora(arguments: TrainLoraArguments, context: ToolContext) -> JobResult:
    """Train a LoRA on pictures: takes long, follow it with wait_for_jobs; its id then goes into loras. Costs money."""
    return await run_job(arguments, context)
