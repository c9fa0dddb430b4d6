"""From what an upstream said, or failed to say, to the next state of a job and what it counts as."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from atelier_mcp.server.errors import AtelierError, Spent
from atelier_mcp.server.jobs.model import Failed, JobImage, Running, Saving, State, Succeeded
from atelier_mcp.server.providers.base import Done, Refused, Working

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.providers.base import Snapshot, UpstreamTask

_TOLD_PROGRESS = 0.05
"""Smaller steps are not worth a write."""


class Outcome(NamedTuple):
    """A job's next state, and the pictures it counts as from then on (``None``: those reserved)."""

    state: State
    charge: int | None = None


def after_look(job: Job, task: UpstreamTask, snapshot: Snapshot | None, *, now: datetime) -> Outcome | None:
    """What a look that worked means for a job; nothing when it stays as it is."""
    match snapshot:
        case Done():
            return after_done(job, task, snapshot)
        case Refused(reason):
            return after_refusal(job, reason)
        case _ if now >= job.deadline:
            return too_late(job)
        case Working():
            return _after_working(job, task, snapshot)
        case _:
            return None


def after_done(job: Job, task: UpstreamTask | None, done: Done) -> Outcome:
    """Pictures to fetch, data alone, or nothing at all."""
    if done.outputs:
        return Outcome(Saving(task, done.outputs, done.data, done.lost), len(done.outputs))
    if done.data or not done.lost:
        return Outcome(Succeeded((), done.data, done.lost), job.cost if done.cost is None else done.cost)
    reasons = ", ".join(dict.fromkeys(done.lost))
    failed = Failed(f"The service kept back every picture; its reason: {reasons}.", then="Change the request.")
    return Outcome(failed, 0)


def after_refusal(job: Job, error: AtelierError) -> Outcome:
    """Failed, and paid for only where that is likely."""
    charge = job.cost if error.spent in {Spent.MAYBE, Spent.YES} else 0
    return Outcome(Failed(error.what, error.spent.value, error.then), charge)


def after_saving(saving: Saving, images: Sequence[JobImage], problem: AtelierError | None) -> Outcome:
    """What a job ends as when its pictures are stored, or when no more of them will be: then ``problem`` says why."""
    missing = len(saving.outputs) - len(images)
    if images or problem is None:
        return Outcome(Succeeded(tuple(images), saving.data, saving.lost + ("could not be downloaded",) * missing))
    failed = Failed(
        f"The service made the pictures, but they could not be downloaded: {problem.what}",
        Spent.YES.value,
        "Their links have most likely expired; ask again only if another charge is acceptable.",
    )
    return Outcome(failed)


def too_late(job: Job) -> Outcome:
    """What a job ends as that the upstream did not finish in time."""
    minutes = (job.deadline - job.created_at).total_seconds() / 60
    allowed = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    failed = Failed(
        f"The service did not finish the job within {allowed}.",
        Spent.MAYBE.value,
        "It is not looked at any longer; ask again only if another charge is acceptable.",
    )
    return Outcome(failed)


def _after_working(job: Job, task: UpstreamTask, working: Working) -> Outcome | None:
    new, old = Running(task, working.progress, working.note), job.state
    if not isinstance(old, Running):
        return Outcome(new)
    further = (new.progress or 0) - (old.progress or 0) >= _TOLD_PROGRESS
    return Outcome(new) if further or new.note != old.note else None
