"""See what has been asked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from atelier_mcp.server.registry import tool
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._jobs import JobsResult, jobs_result

State = Literal["submitting", "queued", "running", "saving", "succeeded", "failed", "cancelled", "unconfirmed"]


class Arguments(BaseModel):
    """The arguments of ``list_jobs``."""

    model_config = ConfigDict(extra="forbid")

    states: list[State] = Field(default_factory=list[State], description="Only these; else all")
    limit: int = Field(20, ge=1, le=100, description="How many")
    offset: int = Field(0, ge=0, description="How many to skip")


@tool(toolset="jobs", read_only=True, destructive=False, idempotent=True, open_world=False)
async def list_jobs(arguments: Arguments, studio: Studio) -> JobsResult:
    """List jobs, newest first, with their states and pictures' handles: also those of earlier sessions."""
    jobs, more = await studio.rooms.jobs.recent(
        states=arguments.states or None, limit=arguments.limit, offset=arguments.offset
    )
    answer = await jobs_result(jobs, studio.rooms, pictures=False)
    answer.more = more
    return answer
