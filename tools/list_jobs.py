"""See what has been asked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import Field

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.job_result import PreviewImage
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_list import (
    MAX_LOCAL_IMAGES,
    JobsResult,
    add_contact_sheet,
    build_jobs_result,
    describe_spending,
    find_local_images,
    format_moment,
)

JobStateName = Literal[
    "active", "submitting", "queued", "running", "saving", "succeeded", "failed", "cancelled", "unconfirmed"
]
_AGE: Final = re.compile(r"(\d{1,5})\s*(s|min|m|h|d)(?:\s+ago)?")
_MAX_OFFSET: Final = 2**62
"""Beyond it no database counts; there are no jobs there either."""
_UNIT_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class ListJobsArguments(ToolArguments):
    """The arguments of ``list_jobs``."""

    states: list[JobStateName] = Field(
        default_factory=list[JobStateName], description="Only these (active: unfinished)"
    )
    since: str | None = Field(None, description="Asked since: 2h, 3d or 2026-11-27 13:05 (UTC)")
    until: str | None = Field(None, description="Asked before, likewise")
    limit: int = Field(20, ge=1, le=100, description="How many")
    offset: int = Field(0, ge=0, description="How many to skip")
    pictures: bool = Field(False, description="Show them small, on one sheet")


@tool(toolset="jobs", read_only=True, destructive=False, idempotent=True, open_world=False)
async def list_jobs(arguments: ListJobsArguments, context: ToolContext) -> JobsResult:
    """List jobs of this and earlier sessions, newest first, with states and handles."""
    from atelier_mcp.server.jobs.model import JobFilter

    now = context.services.clock.now()
    job_filter = JobFilter(
        states=_list_state_names(arguments.states),
        since=_parse_moment("since", arguments.since, now),
        until=_parse_moment("until", arguments.until, now),
    )
    jobs, more = await context.services.jobs.list_recent(
        job_filter, limit=arguments.limit, offset=min(arguments.offset, _MAX_OFFSET)
    )
    result, preview_images = await build_jobs_result(jobs, context.services)
    result.now = format_moment(now)
    result.more = more
    if not arguments.states and not arguments.offset:
        count = arguments.limit if job_filter.since or job_filter.until else MAX_LOCAL_IMAGES
        result.notes += await describe_spending(context.services, now)
        local_images = await find_local_images(context.services, job_filter, count=count)
        result.notes += local_images.format_lines()
        preview_images += [PreviewImage(image) for image in local_images.results]
    if arguments.pictures:
        await add_contact_sheet(result, preview_images, context.services)
    return result


def _list_state_names(states: list[JobStateName]) -> set[str] | None:
    from atelier_mcp.server.jobs.model import UNFINISHED_STATE_NAMES

    if not states:
        return None
    # "active" itself is no state and matches no job.
    return {*states} | (UNFINISHED_STATE_NAMES if "active" in states else set[str]())


def _parse_moment(name: str, text: str | None, now: datetime) -> datetime | None:
    """The moment that a text means: an age, a day or a time. Raises ``InvalidRequest`` for anything else."""
    if not text or not text.strip():
        return None
    if age := _AGE.fullmatch(text.strip().lower()):
        return now - timedelta(seconds=int(age[1]) * _UNIT_S[age[2]])
    try:
        # As format_moment prints it, so that a time from an answer can be given back.
        moment = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError:
        raise InvalidRequest(
            f"{name}: {text[:40]!r} is no time. Give an age such as 2h or 3d, a day such as 2026-11-27, or "
            "2026-11-27 13:05 (UTC)."
        ) from None
    # A time with a zone of its own keeps it.
    return moment.replace(tzinfo=moment.tzinfo or UTC)
