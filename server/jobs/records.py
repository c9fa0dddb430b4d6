"""What is read from and written to the tables, inside a transaction that someone else holds.

Portable SQL throughout; rows become ``Job`` here and nowhere else.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, case, delete, func, insert, select, update

from atelier_mcp.server.errors import JobNotFound, Spent
from atelier_mcp.server.images.finish import finish_to_document, parse_finish
from atelier_mcp.server.jobs.budget import Budget, CallerSpending, Spending, check_budget, check_unfinished, to_utc_day
from atelier_mcp.server.jobs.model import (
    Failed,
    Job,
    JobFilter,
    JobId,
    Move,
    Queued,
    Running,
    Saving,
    State,
    Submitting,
    get_state_name,
)
from atelier_mcp.server.jobs.schedule import MAX_DURATION_SAMPLES, compute_typical_s
from atelier_mcp.server.jobs.state_codec import decode_state, encode_state
from atelier_mcp.server.jobs.tables import durations, jobs, spending
from atelier_mcp.server.jobs.timing import JobTiming

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping

log: logging.Logger = logging.getLogger(__name__)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a moment that cannot be read."""
_IDS_PER_QUERY: Final = 500
"""Well under the number of parameters any SQLite takes."""
_QUEUED: Final = "queued"
_LIVE_STATES: Final = tuple(kind.__name__.lower() for kind in (Queued, Running, Saving))


class Records:
    """The ledger's tables through one open connection."""

    def __init__(self, connection: Connection) -> None:
        """Work on ``connection``; the caller commits."""
        self._connection = connection
        self.changed_jobs: list[Job] = []
        """Jobs written so far, as they are now."""

    def open_job(self, job: Job, *, fingerprint: str, budget: Budget, process: str) -> Job:
        """Write a new job down and reserve its pictures, or find the unfinished job that asks for the same.

        Raises ``BudgetExceeded``, and then nothing is written.
        """
        duplicate = self.find_unfinished_duplicate(job.caller, fingerprint)
        if duplicate is not None:
            return duplicate
        day = to_utc_day(job.created_at)
        spent_today = self._read_spending(day, job) if budget.has_day_limits else Spending()
        check_budget(budget, spent_today, account=job.account, image_count=job.image_count, now=job.created_at)
        if budget.unfinished_per_caller is not None:
            check_unfinished(budget.unfinished_per_caller, self._count_unfinished_of(job.caller))
        self._connection.execute(insert(jobs), _to_row(job, fingerprint=fingerprint, process=process))
        self._connection.execute(
            insert(spending),
            {
                "job_id": job.id,
                "account": job.account,
                "caller": job.caller,
                "day": day,
                "pictures": job.image_count,
            },
        )
        self.changed_jobs.append(job)
        return job

    def find_unfinished_duplicate(self, caller: str, fingerprint: str) -> Job | None:
        """The unfinished job of ``caller`` that asks for the same, if there is one."""
        row = (
            self._connection.execute(select(jobs).where(jobs.c.claim == _compute_claim(caller, fingerprint)))
            .mappings()
            .first()
        )
        return None if row is None else _to_job(row)

    def move(self, moves: Sequence[Move]) -> list[Job | JobNotFound]:
        """Move each job where it may go (see ``Move``), one move after the other, in three statements.

        Returns each job as it then stands, or the error for one that is not there.
        """
        current_jobs: dict[str, Job] = dict(self._load_jobs([move.job_id for move in moves], for_update=True))
        charges: dict[JobId, int | None] = {}
        results: list[Job | JobNotFound] = []
        for move in moves:
            job = current_jobs.get(move.job_id)
            if job is not None and move.is_allowed_from(job.state):
                # Whoever compares two versions of a job goes by this moment, so it follows no clock that was set back.
                job = current_jobs[job.id] = replace(job, state=move.state, updated_at=max(move.at, job.updated_at))
                charges[job.id] = charges.get(job.id) if move.charge is None else move.charge
            results.append(job or _build_not_found_error([move.job_id]))
        if charges:
            self._write_states([current_jobs[job_id] for job_id in charges])
            self._write_charges(charges)
            self.changed_jobs += [current_jobs[job_id] for job_id in charges]
        return results

    def get(self, ids: Sequence[JobId], *, caller: str | None = None) -> list[Job]:
        """The jobs of these ids, in order. Raises ``JobNotFound`` naming those there are none of.

        With a ``caller`` there are only its own.
        """
        jobs_by_id = self._load_jobs(ids, caller=caller)
        missing = [job_id for job_id in dict.fromkeys(ids) if job_id not in jobs_by_id]
        if missing:
            raise _build_not_found_error(missing)
        return [jobs_by_id[job_id] for job_id in ids]

    def find(self, ids: Sequence[JobId], *, caller: str | None = None) -> list[Job]:
        """Those jobs of these ids that there are, of ``caller`` or of anybody, in order, each once."""
        jobs_by_id = self._load_jobs(ids, caller=caller)
        return [jobs_by_id[job_id] for job_id in dict.fromkeys(ids) if job_id in jobs_by_id]

    def list_recent(self, job_filter: JobFilter, *, limit: int, offset: int) -> list[Job]:
        """Jobs, newest first."""
        query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit).offset(offset)
        if job_filter.states is not None:
            query = query.where(jobs.c.state.in_(job_filter.states))
        if job_filter.since is not None:
            query = query.where(jobs.c.created_at >= job_filter.since)
        if job_filter.until is not None:
            query = query.where(jobs.c.created_at < job_filter.until)
        if job_filter.caller is not None:
            query = query.where(jobs.c.caller == job_filter.caller)
        return [_to_job(row) for row in self._connection.execute(query).mappings()]

    def measure(self, unfinished_jobs: Sequence[Job], *, now: datetime) -> dict[JobId, JobTiming]:
        """The times of unfinished jobs, and for those that wait at the service how many are before them."""
        queues = {account: self._list_queue(account) for account in {job.account for job in unfinished_jobs}}
        typical_s = {
            kind: self.get_typical_s(*kind) for kind in {(job.account, job.capability) for job in unfinished_jobs}
        }
        return {
            job.id: JobTiming(
                age_s=max(0.0, (now - job.created_at).total_seconds()),
                typical_s=typical_s[job.account, job.capability],
                jobs_before=queues[job.account].index(job.id) if job.id in queues[job.account] else None,
            )
            for job in unfinished_jobs
        }

    def _list_queue(self, account: str) -> list[JobId]:
        """An account's jobs that wait at the service, in the order in which they were asked for."""
        query = (
            select(jobs.c.id)
            .where(jobs.c.finished.is_(False), jobs.c.account == account, jobs.c.state == _QUEUED)
            .order_by(jobs.c.created_at, jobs.c.id)
        )
        return [JobId(job_id) for job_id in self._connection.scalars(query)]

    def list_unfinished(self, account: str) -> list[Job]:
        """An account's jobs with something still to happen, oldest first."""
        query = select(jobs).where(jobs.c.finished.is_(False), jobs.c.account == account).order_by(jobs.c.created_at)
        return [_to_job(row) for row in self._connection.execute(query).mappings()]

    def load_live_waits(self, account: str) -> dict[JobId, datetime | None]:
        """The unfinished jobs at the upstream, each with how long somebody waits for it in another process."""
        query = select(jobs.c.id, jobs.c.attended_until).where(
            jobs.c.finished.is_(False), jobs.c.account == account, jobs.c.state.in_(_LIVE_STATES)
        )
        return {JobId(job_id): until for job_id, until in self._connection.execute(query)}

    def record_waiters(self, ids: Sequence[JobId], until: datetime) -> None:
        """Note that somebody waits for these jobs."""
        for chunk in _iterate_chunks(ids):
            self._connection.execute(update(jobs).where(jobs.c.id.in_(chunk)).values(attended_until=until))

    def list_submitting(self, accounts: Collection[str]) -> list[tuple[JobId, str]]:
        """Jobs whose submit has no answer yet, each with the process that sends it."""
        query = select(jobs.c.id, jobs.c.process).where(
            jobs.c.finished.is_(False), jobs.c.account.in_(accounts), jobs.c.state == get_state_name(Submitting())
        )
        return [(JobId(job_id), process) for job_id, process in self._connection.execute(query)]

    def list_documents(self, *, since: datetime) -> list[str]:
        """Request and state, as JSON, of each job that is unfinished or has moved since then."""
        query = select(jobs.c.request, jobs.c.detail).where(~jobs.c.finished | (jobs.c.updated_at >= since))
        return [json.dumps([request, detail]) for request, detail in self._connection.execute(query)]

    def count_unfinished(self) -> int:
        """How many jobs have something still to happen."""
        return int(self._connection.scalar(select(func.count()).select_from(jobs).where(~jobs.c.finished)) or 0)

    def count_finished(self, *, before: datetime) -> int:
        """How many jobs have been finished since before then."""
        query = select(func.count()).select_from(jobs).where(jobs.c.finished, jobs.c.updated_at < before)
        return int(self._connection.scalar(query) or 0)

    def delete_finished(self, *, before: datetime) -> int:
        """Delete the jobs that have been finished since before then, with their spending of days gone by.

        Returns how many jobs that were. Spending of ``before``'s own day stays: a budget may still count it.
        """
        self._connection.execute(delete(spending).where(spending.c.day < to_utc_day(before)))
        return self._connection.execute(delete(jobs).where(jobs.c.finished, jobs.c.updated_at < before)).rowcount

    def record_durations(self, account: str, capability: str, seconds: Sequence[float]) -> float:
        """Remember how long more such jobs took; returns what is typical now."""
        newest = [round(one, 3) for one in seconds]
        samples = [*self._read_samples(account, capability), *newest][-MAX_DURATION_SAMPLES:]
        where = (durations.c.account == account, durations.c.capability == capability)
        if self._connection.execute(update(durations).where(*where).values(samples_s=samples)).rowcount == 0:
            row = {"account": account, "capability": capability, "samples_s": samples}
            self._connection.execute(insert(durations), row)
        return compute_typical_s(samples)

    def get_typical_s(self, account: str, capability: str) -> float | None:
        """How long such jobs usually take, where one was seen."""
        samples = self._read_samples(account, capability)
        return compute_typical_s(samples) if samples else None

    def _read_samples(self, account: str, capability: str) -> list[float]:
        where = (durations.c.account == account, durations.c.capability == capability)
        return self._connection.scalars(select(durations.c.samples_s).where(*where)).first() or []

    def _read_spending(self, day: str, job: Job) -> Spending:
        """What was spent on a day: by all, at the job's account, and by its caller."""
        account_sum = func.sum(case((spending.c.account == job.account, spending.c.pictures), else_=0))
        caller_sum = func.sum(case((spending.c.caller == job.caller, spending.c.pictures), else_=0))
        query = select(func.sum(spending.c.pictures), account_sum, caller_sum).where(spending.c.day == day)
        total, account_total, caller_total = self._connection.execute(query).one()
        return Spending(int(total or 0), int(account_total or 0), int(caller_total or 0))

    def _count_unfinished_of(self, caller: str) -> int:
        query = select(func.count()).select_from(jobs).where(jobs.c.finished.is_(False), jobs.c.caller == caller)
        return int(self._connection.scalar(query) or 0)

    def list_spending(self, since_day: str, *, caller: str | None = None) -> list[tuple[str, str, int]]:
        """Pictures by UTC day and account since a day, that day included, oldest first; of one caller or of all."""
        pictures = func.sum(spending.c.pictures)
        query = (
            select(spending.c.day, spending.c.account, pictures)
            .where(spending.c.day >= since_day)
            .group_by(spending.c.day, spending.c.account)
            .order_by(spending.c.day, spending.c.account)
        )
        query = query if caller is None else query.where(spending.c.caller == caller)
        return [(day, account, int(count)) for day, account, count in self._connection.execute(query)]

    def list_spending_by_caller(self, since_day: str, *, caller: str | None = None) -> list[CallerSpending]:
        """The same for each caller apart."""
        keys = (spending.c.day, spending.c.caller, spending.c.account)
        query = select(*keys, func.sum(spending.c.pictures)).where(spending.c.day >= since_day)
        query = query.group_by(*keys).order_by(*keys)
        query = query if caller is None else query.where(spending.c.caller == caller)
        rows = self._connection.execute(query)
        return [CallerSpending(day, name or "", account, int(count)) for day, name, account, count in rows]

    def _load_jobs(
        self, ids: Sequence[JobId], *, for_update: bool = False, caller: str | None = None
    ) -> dict[str, Job]:
        jobs_by_id: dict[str, Job] = {}
        for chunk in _iterate_chunks(ids):
            query = select(jobs).where(jobs.c.id.in_(chunk))
            # Here and not afterwards: another's job takes no longer than one that there is not.
            query = query if caller is None else query.where(jobs.c.caller == caller)
            rows = self._connection.execute(query.with_for_update() if for_update else query).mappings()
            jobs_by_id |= {row["id"]: _to_job(row) for row in rows}
        return jobs_by_id

    def _write_states(self, changed_jobs: Sequence[Job]) -> None:
        statement = (
            update(jobs)
            # No condition on the state: this transaction has read it with the row locked, and decided by it.
            .where(jobs.c.id == bindparam("of"))
            .values(
                state=bindparam("to_state"),
                detail=bindparam("to_detail", type_=jobs.c.detail.type),
                finished=bindparam("to_finished"),
                claim=case((bindparam("to_finished"), None), else_=jobs.c.claim),
                updated_at=bindparam("at", type_=jobs.c.updated_at.type),
            )
        )
        self._connection.execute(
            statement,
            [
                {
                    "of": job.id,
                    "to_state": get_state_name(job.state),
                    "to_detail": encode_state(job.state),
                    "to_finished": job.is_finished,
                    "at": job.updated_at,
                }
                for job in changed_jobs
            ],
        )

    def _write_charges(self, charges: Mapping[JobId, int | None]) -> None:
        known = [{"of": job_id, "to": charge} for job_id, charge in charges.items() if charge is not None]
        if known:
            statement = update(spending).where(spending.c.job_id == bindparam("of")).values(pictures=bindparam("to"))
            self._connection.execute(statement, known)


def _build_not_found_error(missing: Sequence[JobId]) -> JobNotFound:
    return JobNotFound(f"No job has the id {', '.join(missing)}.", hint="list_jobs shows the recent jobs.")


def _compute_claim(caller: str, fingerprint: str) -> str:
    return sha256(f"{caller}\n{fingerprint}".encode()).hexdigest()


def _to_row(job: Job, *, fingerprint: str, process: str) -> dict[str, Any]:
    return {
        "id": job.id,
        "capability": job.capability,
        "provider": job.provider,
        "account": job.account,
        "caller": job.caller,
        "fingerprint": fingerprint,
        "claim": None if job.is_finished else _compute_claim(job.caller, fingerprint),
        "request": dict(job.request),
        "notes": list(job.notes),
        "finish": finish_to_document(job.finish),
        "cost": job.image_count,
        "state": get_state_name(job.state),
        "detail": encode_state(job.state),
        "finished": job.is_finished,
        "process": process,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "deadline": job.deadline,
    }


def _read_state(row: RowMapping) -> State:
    """The state of a row; where it cannot be read, that is said, and the row is left as it is.

    One such row, of a newer version or damaged, must neither stop its account nor hide the other jobs.
    """
    try:
        if not _is_whole(row):
            raise ValueError("a value is not of its kind")  # said below, for both
        return decode_state(row["state"], row["detail"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        log.warning("a job in the ledger cannot be read", extra={"job": row["id"]})
        return Failed("its entry in the ledger is unreadable, and it is not looked after.", Spent.MAYBE.value)


def _is_whole(row: RowMapping) -> bool:
    """Whether each value beside the state is of its kind; the column types read as something else what is not."""
    moments = (row["created_at"], row["updated_at"], row["deadline"])
    return (
        isinstance(row["request"], dict)
        and isinstance(row["notes"], list)
        and isinstance(row["finish"], dict | None)
        and all(isinstance(moment, datetime) for moment in moments)
    )


def _to_job(row: RowMapping) -> Job:
    is_whole = _is_whole(row)
    return Job(
        id=JobId(row["id"]),
        capability=row["capability"],
        provider=row["provider"],
        account=row["account"],
        caller=row["caller"],
        request=row["request"] if is_whole else {},
        notes=tuple(row["notes"]) if is_whole else (),
        image_count=row["cost"],
        created_at=row["created_at"] or _EPOCH,
        updated_at=row["updated_at"] or _EPOCH,
        deadline=row["deadline"] or _EPOCH,
        state=_read_state(row),
        finish=parse_finish(row["finish"]) if is_whole else None,
    )


def _iterate_chunks(ids: Sequence[JobId]) -> Iterator[list[JobId]]:
    remaining = iter(dict.fromkeys(ids))
    while chunk := list(islice(remaining, _IDS_PER_QUERY)):
        yield chunk
