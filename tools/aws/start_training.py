"""Set a prepared training going."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import StartTraining
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(StartTraining, Waiting):
    """The flat arguments of ``start_training``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def start_training(arguments: Arguments, studio: Studio) -> JobResult:
    """Start a prepared training; only on request. COSTS MONEY until it ends. Follow it with wait_for_jobs."""
    return await run(arguments, studio)
