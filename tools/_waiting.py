"""Calls that wait for their pictures, and never outlive the client's patience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from atelier_mcp.server.requests.base import Request
from atelier_mcp.server.requests.create import HOUSE_STYLE
from atelier_mcp.tools._results import job_result

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.settings import Settings
    from atelier_mcp.server.studio import Studio
    from atelier_mcp.tools._results import JobResult


class Waiting(BaseModel):
    """The argument of every tool that waits."""

    wait_s: float | None = Field(None, ge=0, le=50, description="Seconds to wait (45)")


async def run(arguments: Request, studio: Studio) -> JobResult:
    """Start the request's job, wait for it within bounds, and answer with what there is then."""
    request = request_of(arguments, studio.rooms.settings)
    wait_s = patience(arguments, studio)
    provider: str | None = getattr(arguments, "provider", None)
    started = await studio.rooms.jobs.start(
        request, caller=studio.caller, provider=provider, report=studio.progress.note, wait_s=wait_s
    )
    jobs = await studio.rooms.jobs.wait(
        [started.job.id], wait_s=studio.left_s(wait_s), on_change=lambda job: studio.progress.note(*news(job))
    )
    return await job_result(jobs[0], studio, joined=started.joined)


def request_of(arguments: Request, settings: Settings) -> Request:
    """The request inside a tool's arguments: the nearest class that names a capability of its own.

    Format and watermark are the operator's, unless the caller said which; a request that starts from PNG needs it.
    """
    model = next(c for c in type(arguments).__mro__ if "capability" in c.__dict__ and issubclass(c, Request))
    values = {name: getattr(arguments, name) for name in model.model_fields}
    for name in HOUSE_STYLE & values.keys() - arguments.model_fields_set:
        if values[name] != "png":
            values[name] = getattr(settings, name)
    return model.model_construct(**values)


def patience(arguments: object, studio: Studio) -> float:
    """How long this call waits, in seconds: as it says, or as the settings say."""
    asked: float | None = getattr(arguments, "wait_s", None)
    return studio.rooms.settings.wait_s if asked is None else asked


def news(job: Job) -> tuple[float | None, str]:
    """What a progress bar says of a job."""
    from atelier_mcp.server.jobs.model import Running, Saving, state_name

    match job.state:
        case Running(progress=progress, note=note):
            return progress, note or "running"
        case Saving():
            return 0.97, "saving the pictures"
        case _:
            return None, state_name(job.state)
