"""Set a prepared training going."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import StartTraining
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class StartTrainingArguments(StartTraining, WaitArguments):
    """The flat arguments of ``start_training``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def start_training(arguments: StartTrainingArguments, context: ToolContext) -> JobResult:
    """Start a prepared training; only on request. COSTS MONEY until it ends. Follow it with wait_for_jobs."""
    return await run_job(arguments, context)
