"""From what an upstream said, or failed to say, to the next state of a job and what it counts as."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from atelier_mcp.server.errors import AtelierError, Spent, SubmitUnconfirmed
from atelier_mcp.server.jobs.model import (
    Failed,
    JobImage,
    Queued,
    Running,
    Saving,
    State,
    Submitting,
    Succeeded,
    Unconfirmed,
)
from atelier_mcp.server.providers.base import TaskFailed, TaskLost, TaskPending, TaskRunning, TaskSucceeded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.providers.base import TaskSnapshot, UpstreamTask

_MIN_PROGRESS_STEP = 0.05
"""Smaller steps are not worth a write."""
_FREE_HINT = "Ask again: it costs time, no money."


class Outcome(NamedTuple):
    """A job's next state, and the pictures it counts as from then on (``None``: those reserved)."""

    state: State
    charge: int | None = None


def decide_after_poll(job: Job, task: UpstreamTask, snapshot: TaskSnapshot | None, *, is_late: bool) -> Outcome | None:
    """What a poll that worked means for a job; nothing when it stays as it is. ``is_late``: its deadline is over."""
    match snapshot:
        case TaskSucceeded():
            return decide_after_done(job, task, snapshot)
        case TaskFailed(SubmitUnconfirmed()):
            return Outcome(Unconfirmed())
        case TaskFailed(reason):
            # What an error says of money by its class alone is meant for requests that were refused.
            return decide_after_refusal(job, reason, spent=reason.spent if reason.says_spent else Spent.UNKNOWN)
        case _ if is_late:
            return decide_after_deadline(job)
        case TaskRunning():
            return _decide_after_working(job, task, snapshot)
        case TaskPending():
            return decide_after_trouble(job, "")
        case TaskLost(reason):
            return decide_after_trouble(job, reason.message)
        case None:
            return None


def decide_after_trouble(job: Job, problem: str) -> Outcome | None:
    """The job as it is, with what keeps it from being followed; nothing where that is known."""
    state = job.state
    if not isinstance(state, Queued | Running) or state.problem == problem:
        return None
    return Outcome(replace(state, problem=problem))


def decide_after_done(job: Job, task: UpstreamTask | None, done: TaskSucceeded) -> Outcome:
    """Pictures to fetch, data alone, or nothing at all."""
    if done.outputs:
        # What counts as nothing is free, however much comes of it.
        charge = len(done.outputs) if job.image_count else 0
        return Outcome(Saving(task, done.outputs, done.data, done.missing_reasons), charge)
    if done.data or not done.missing_reasons:
        return Outcome(
            Succeeded((), done.data, done.missing_reasons),
            job.image_count if done.image_count is None else done.image_count,
        )
    reasons = ", ".join(dict.fromkeys(done.missing_reasons))
    failure = Failed(
        f"The service kept back every picture; its reason: {reasons}.", Spent.MAYBE.value, "Change the request."
    )
    return Outcome(failure)


def decide_after_refusal(job: Job, error: AtelierError, *, spent: Spent | None = None) -> Outcome:
    """Failed, and paid back only where certainly nothing was spent; ``spent`` replaces what the error says of that."""
    known = error.spent if spent is None else spent
    said = Spent.NOTHING if job.quote.is_free else Spent.MAYBE if known is Spent.UNKNOWN else known
    return Outcome(Failed(error.message, said.value, error.hint), 0 if said is Spent.NOTHING else job.image_count)


def decide_after_lost_sender(job: Job) -> Outcome:
    """What a submit ends as that nobody will see answered.

    Paid back where it still waited for its turn, polled where its task is known, else unconfirmed.
    """
    state = job.state
    if not isinstance(state, Submitting):
        return Outcome(Unconfirmed())
    if state.is_waiting:
        return Outcome(Failed("The server stopped before the job was sent.", Spent.NOTHING.value, "Ask again."), 0)
    # Whether it arrived, only an upstream that knows it by an id of ours can tell: sent again, it could be paid twice.
    return Outcome(Unconfirmed() if state.task is None else Queued(state.task))


def decide_after_saving(
    job: Job, saving: Saving, images: Sequence[JobImage], problem: AtelierError | None, *, missing_count: int
) -> Outcome:
    """What a job ends as when its pictures are stored, or when no more of them will be: then ``problem`` says why."""
    if images or problem is None:
        return Outcome(
            Succeeded(tuple(images), saving.data, saving.lost + ("could not be downloaded",) * missing_count)
        )
    what = "The service made the pictures, but they could not be downloaded"
    hint = "Their links have most likely expired; ask again only if another charge is acceptable."
    spent, hint = (Spent.NOTHING, _FREE_HINT) if job.quote.is_free else (Spent.YES, hint)
    return Outcome(Failed(f"{what} in {_format_tries(saving.tries + 1)}: {problem.message}", spent.value, hint))


def _format_tries(tries: int) -> str:
    return f"{tries} tries" if tries != 1 else "1 try"


def decide_after_deadline(job: Job) -> Outcome:
    """What a job ends as that the upstream did not finish in time."""
    minutes = (job.deadline - job.created_at).total_seconds() / 60
    limit_text = f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
    problem = job.state.problem if isinstance(job.state, Queued | Running) else ""
    what = f"The service did not finish the job within {limit_text}." + (f" At last: {problem}" if problem else "")
    hint = "It is not looked at any longer; ask again only if another charge is acceptable."
    spent, hint = (Spent.NOTHING, _FREE_HINT) if job.quote.is_free else (Spent.MAYBE, hint)
    return Outcome(Failed(what, spent.value, hint))


def _decide_after_working(job: Job, task: UpstreamTask, working: TaskRunning) -> Outcome | None:
    new, old = Running(task, working.progress, working.note), job.state
    if not isinstance(old, Running):
        return Outcome(new)
    has_advanced = (new.progress or 0) - (old.progress or 0) >= _MIN_PROGRESS_STEP
    return Outcome(new) if has_advanced or (new.note, new.problem) != (old.note, old.problem) else None
