"""What a task stands for: the job of one call, or a call that waits for several jobs.

All of it is in the task's id, and the rest in the ledger: any server can go on with a task, before and after a restart.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.jobs.model import Job, JobId
    from atelier_mcp.server.services import Services

_WAIT_PREFIX: Final = "wait_"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MAX_JOB_ID_LENGTH: Final = 40
MAX_ID_LENGTH: Final = 4_000
"""Clients send a task's id in a header, too."""

Until: TypeAlias = Literal["all", "any"]
"""Which of several jobs must have ended."""
Status: TypeAlias = Literal["working", "completed", "cancelled"]
"""As clients read it. A job that failed is completed, by a result that is marked as an error."""


@dataclass(frozen=True, slots=True)
class JobTask:
    """A call that began one job; it has the job's id."""

    id: str

    @property
    def job_ids(self) -> Sequence[JobId]:
        """The job's."""
        return _to_job_ids([self.id])

    def get_status(self, jobs: Sequence[Job]) -> Status:
        """How far the call is while its job stands so."""
        from atelier_mcp.server.jobs.model import Cancelled

        (job,) = jobs
        if isinstance(job.state, Cancelled):
            return "cancelled"
        return "completed" if job.is_finished else "working"

    def find_created_at(self, jobs: Sequence[Job]) -> datetime:
        """When the job was asked for."""
        return jobs[0].created_at


@dataclass(frozen=True, slots=True)
class WaitTask:
    """A call of ``wait_for_jobs``."""

    names: tuple[str, ...]
    """The ids that it waits for, also those that no job has: its answer names them."""
    until: Until
    called_at: datetime

    @property
    def id(self) -> str:
        """Says all of it; as hard to guess as the ids in it."""
        document = {"jobs": self.names, "until": self.until, "at": (self.called_at - _EPOCH) // _MILLISECOND}
        encoded = urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode())
        return _WAIT_PREFIX + encoded.decode().rstrip("=")

    @property
    def job_ids(self) -> Sequence[JobId]:
        """Those of the names that may be ids of jobs."""
        return _to_job_ids(self.names)

    def get_status(self, jobs: Sequence[Job]) -> Status:
        """How far the call is while the jobs stand so."""
        is_enough = all if self.until == "all" else any
        return "completed" if is_enough(job.is_finished for job in jobs) else "working"

    def find_created_at(self, jobs: Sequence[Job]) -> datetime:  # noqa: ARG002  # as for the other kind
        """When it was called."""
        return self.called_at


CallTask: TypeAlias = JobTask | WaitTask


class OpenedTask(NamedTuple):
    """A task that there is, as its caller may see it."""

    task: CallTask
    jobs: Sequence[Job]
    services: Services


def parse_task_id(text: str) -> CallTask | None:
    """What an id stands for, whether there is such a task or not; None where it can be none of ours."""
    if len(text) > MAX_ID_LENGTH or not text.isprintable():
        return None
    return _parse_wait(text.removeprefix(_WAIT_PREFIX)) if text.startswith(_WAIT_PREFIX) else JobTask(text)


def _parse_wait(encoded: str) -> WaitTask | None:
    try:
        document = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        names, until = document["jobs"], document["until"]
        called_at = _EPOCH + document["at"] * _MILLISECOND
    # Whatever somebody made up.
    except (binascii.Error, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    if not isinstance(names, list) or until not in ("all", "any"):
        return None
    return WaitTask(tuple(map(str, names)), until, called_at)  # pyright: ignore[reportUnknownArgumentType]  # JSON


def _to_job_ids(names: Sequence[str]) -> list[JobId]:
    from atelier_mcp.server.jobs.model import JobId

    # What is longer or cannot be written no database need be asked for.
    return [JobId(name) for name in names if len(name) <= _MAX_JOB_ID_LENGTH and name.isprintable()]
