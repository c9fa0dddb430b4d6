"""Calls that wait for their pictures, and never outlive the client's patience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from atelier_mcp.server.requests.base import Request
from atelier_mcp.server.requests.create import OUTPUT_DEFAULTS
from atelier_mcp.tools._job_result import build_job_result

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.settings import Settings
    from atelier_mcp.server.tool_context import ToolContext
    from atelier_mcp.tools._job_result import JobResult


class WaitArguments(BaseModel):
    """The argument of every tool that waits."""

    wait_s: float | None = Field(None, ge=0, le=50, description="Seconds to wait (45)")


async def run_job(arguments: Request, context: ToolContext) -> JobResult:
    """Start the request's job, wait for it within bounds, and answer with what there is then."""
    request = extract_request(arguments, context.services.settings)
    wait_s = resolve_wait_s(arguments, context)
    provider: str | None = getattr(arguments, "provider", None)
    started = await context.services.jobs.start(
        request, caller=context.caller, provider=provider, report=context.progress.update, wait_s=wait_s
    )
    jobs = await context.services.jobs.wait(
        [started.job.id],
        wait_s=context.compute_remaining_s(wait_s),
        on_change=lambda job: context.progress.update(*describe_progress(job)),
    )
    return await build_job_result(jobs[0], context, joined=started.joined)


def extract_request(arguments: Request, settings: Settings) -> Request:
    """The request inside a tool's arguments: the nearest class that names a capability of its own.

    Format and watermark are the operator's, unless the caller said which; a request that starts from PNG needs it.
    """
    model = next(c for c in type(arguments).__mro__ if "capability" in c.__dict__ and issubclass(c, Request))
    values = {name: getattr(arguments, name) for name in model.model_fields}
    for name in OUTPUT_DEFAULTS & values.keys() - arguments.model_fields_set:
        if values[name] != "png":
            values[name] = getattr(settings, name)
    return model.model_construct(**values)


def resolve_wait_s(arguments: object, context: ToolContext) -> float:
    """How long this call waits, in seconds: as it says, or as the settings say."""
    requested_s: float | None = getattr(arguments, "wait_s", None)
    return context.services.settings.wait_s if requested_s is None else requested_s


def describe_progress(job: Job) -> tuple[float | None, str]:
    """What a progress bar says of a job."""
    from atelier_mcp.server.jobs.model import Running, Saving, get_state_name

    match job.state:
        case Running(progress=progress, note=note):
            return progress, note or "running"
        case Saving():
            return 0.97, "saving the pictures"
        case _:
            return None, get_state_name(job.state)
