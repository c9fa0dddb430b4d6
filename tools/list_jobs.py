"""See what has been asked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_list import JobsResult, build_jobs_result

JobStateName = Literal["submitting", "queued", "running", "saving", "succeeded", "failed", "cancelled", "unconfirmed"]


class ListJobsArguments(ToolArguments):
    """The arguments of ``list_jobs``."""

    states: list[JobStateName] = Field(default_factory=list[JobStateName], description="Only these; else all")
    limit: int = Field(20, ge=1, le=100, description="How many")
    offset: int = Field(0, ge=0, description="How many to skip")


@tool(toolset="jobs", read_only=True, destructive=False, idempotent=True, open_world=False)
async def list_jobs(arguments: ListJobsArguments, context: ToolContext) -> JobsResult:
    """List jobs, newest first, with their states and pictures' handles: also those of earlier sessions."""
    jobs, more = await context.services.jobs.list_recent(
        states=arguments.states or None, limit=arguments.limit, offset=arguments.offset
    )
    result = await build_jobs_result(jobs, context.services, with_previews=False)
    result.more = more
    return result
