"""What is read from and written to the tables, inside a transaction that someone else holds.

Portable SQL throughout; ``job_rows`` says how a job is a row.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import bindparam, case, delete, func, insert, not_, or_, select, update
from sqlalchemy.exc import DataError, IntegrityError

from atelier_mcp.server.errors import JobNotFound
from atelier_mcp.server.jobs.audit import build_reservation, build_settlement
from atelier_mcp.server.jobs.budget_day import to_utc_day
from atelier_mcp.server.jobs.cost import settle_cost
from atelier_mcp.server.jobs.day_totals import day_totals
from atelier_mcp.server.jobs.job_opening import compute_claim, open_jobs
from atelier_mcp.server.jobs.job_rows import to_cost_columns, to_job, to_row, to_spending_row, to_state_row
from atelier_mcp.server.jobs.model import (
    Job,
    JobFilter,
    JobId,
    Move,
    Queued,
    Running,
    Saving,
    Submitting,
    get_state_name,
)
from atelier_mcp.server.jobs.schedule import MAX_DURATION_SAMPLES, compute_typical_s
from atelier_mcp.server.jobs.spending import CallerSpending, join_currencies, to_amount
from atelier_mcp.server.jobs.tables import audit_lines, durations, jobs, spending
from atelier_mcp.server.jobs.timing import JobTiming

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Connection, Update

    from atelier_mcp.server.jobs.audit import AuditLine
    from atelier_mcp.server.jobs.job_opening import Opening

StrT = TypeVar("StrT", bound=str)


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
        self.auditor: str = ""
        """Who puts lines into the audit log; empty where none is kept."""
        self.has_audit_lines: bool = False
        """Whether lines for it were written."""

    def open_jobs(self, openings: Sequence[Opening]) -> list[Job | Exception]:
        """Write new jobs down and reserve their pictures, or find the unfinished jobs that ask for the same.

        Returns each job, or why it is not written: ``BudgetExceeded``, or what the database has against it.
        """
        if len(openings) == 1:
            return self._open_jobs(openings)
        try:
            with self._connection.begin_nested():
                return self._open_jobs(openings)
        except (IntegrityError, DataError):  # one of them cannot be written: the others can
            return [self._open_alone(opening) for opening in openings]

    def _open_alone(self, opening: Opening) -> Job | Exception:
        try:
            with self._connection.begin_nested():
                return self._open_jobs([opening])[0]
        except (IntegrityError, DataError) as error:
            return error

    def _open_jobs(self, openings: Sequence[Opening]) -> list[Job | Exception]:
        results, new_jobs = open_jobs(self, openings)
        self.changed_jobs += new_jobs
        people = {id(opening.job): opening.person for opening in openings}
        self._write_audit_lines([(job, build_reservation(job, people[id(job)])) for job in new_jobs])
        return [*results]

    def lock_budgets(self) -> None:
        """Let no other transaction count what was spent: SQLite has one writer at a time."""

    def find_claimed(self, claims: Collection[str]) -> dict[str, Job]:
        """The unfinished jobs that hold one of these claims."""
        jobs_by_claim: dict[str, Job] = {}
        for chunk in _iterate_chunks(claims):
            rows = self._connection.execute(select(jobs).where(self.is_among(jobs.c.claim, chunk))).mappings()
            jobs_by_claim |= {row["claim"]: to_job(row) for row in rows}
        return jobs_by_claim

    def read_day_spending(self, days: Collection[str]) -> dict[tuple[str, str, str], int]:
        """Pictures by UTC day, account and caller."""
        keys = (day_totals.c.day, day_totals.c.account, day_totals.c.caller)
        query = select(*keys, func.sum(day_totals.c.pictures)).where(self.is_among(day_totals.c.day, list(days)))
        rows = self._connection.execute(query.group_by(*keys))
        return {(day, account, caller): int(count) for day, account, caller, count in rows}

    def read_day_costs(self, days: Collection[str]) -> dict[tuple[str, str, str, str], int]:
        """What is known of costs, in millionths, by UTC day, account, caller and currency."""
        keys = (day_totals.c.day, day_totals.c.account, day_totals.c.caller, day_totals.c.currency)
        query = select(*keys, func.sum(day_totals.c.cost_micros)).where(
            self.is_among(day_totals.c.day, list(days)), day_totals.c.currency != ""
        )
        rows = self._connection.execute(query.group_by(*keys))
        return {(day, account, caller, currency): int(cost) for day, account, caller, currency, cost in rows}

    def count_unfinished_by_caller(self, callers: Collection[str]) -> dict[str, int]:
        """How many unfinished jobs each of these callers has."""
        query = (
            select(jobs.c.caller, func.count())
            .where(jobs.c.finished.is_(False), self.is_among(jobs.c.caller, list(callers)))
            .group_by(jobs.c.caller)
        )
        return {caller: int(count) for caller, count in self._connection.execute(query)}

    def insert_openings(self, openings: Sequence[Opening]) -> Collection[str]:
        """Write jobs with what they spend; returns the ids of those whose claim nobody else holds by now."""
        rows = [to_row(opening.job, fingerprint=opening.fingerprint, process=opening.process) for opening in openings]
        # Nobody can have written an equal one since it was looked for: SQLite has one writer at a time.
        self._connection.execute(insert(jobs), rows)
        self._connection.execute(insert(spending), [to_spending_row(opening.job) for opening in openings])
        return {opening.job.id for opening in openings}

    def is_among(self, column: Column[str], values: Sequence[str]) -> ColumnElement[bool]:
        """The condition that a column has one of these values."""
        return column.in_(values)

    def find_unfinished_duplicate(self, caller: str, fingerprint: str) -> Job | None:
        """The unfinished job of ``caller`` that asks for the same, if there is one."""
        row = (
            self._connection.execute(select(jobs).where(jobs.c.claim == compute_claim(caller, fingerprint)))
            .mappings()
            .first()
        )
        return None if row is None else to_job(row)

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
            self.write_states([to_state_row(current_jobs[job_id]) for job_id in charges])
            self._settle([(current_jobs[job_id], count) for job_id, count in charges.items() if count is not None])
            self.changed_jobs += [current_jobs[job_id] for job_id in charges]
        return results

    def _settle(self, charges: Sequence[tuple[Job, int]]) -> None:
        """Write down how many pictures jobs count as from now on, and what they cost by that."""
        if not charges:
            return
        settled = [(job, count, settle_cost(job, count)) for job, count in charges]
        self.write_charges(
            [{"job_id": job.id, "pictures": count, **to_cost_columns(cost)} for job, count, cost in settled]
        )
        self._write_audit_lines([(job, build_settlement(job, count, cost)) for job, count, cost in settled])

    def _write_audit_lines(self, lines: Sequence[tuple[Job, AuditLine]]) -> None:
        """Keep lines for the audit log, where there is one: they are in it as soon as this transaction is committed."""
        if not self.auditor or not lines:
            return
        rows = [{"process": self.auditor, "written_at": job.updated_at, "line": line} for job, line in lines]
        self._connection.execute(insert(audit_lines), rows)
        self.has_audit_lines = True

    def move_audit_lines(
        self, append: Callable[[Sequence[AuditLine]], None], *, fresh: tuple[datetime, datetime]
    ) -> int:
        """Hand the auditor's lines, and those that others left behind, to ``append``, and strike them out.

        Those of others stay while their time lies in ``fresh``, from and to: their process may be about to do the same.
        One from the future was written by a clock that was wrong, and would otherwise wait until then. To be called in
        a transaction of its own: no line goes out of what could still be rolled back. Returns how many are left.
        """
        own = audit_lines.c.process == self.auditor
        due = or_(own, not_(audit_lines.c.written_at.between(*fresh)))
        query = select(audit_lines.c.id, audit_lines.c.line).where(due)
        # Those that another process is just taking over are left to it.
        rows = self._connection.execute(query.order_by(audit_lines.c.id).with_for_update(skip_locked=True)).all()
        if rows:
            append([{"id": row.id, **row.line} for row in rows])
            done = delete(audit_lines).where(audit_lines.c.id == bindparam("of"))
            self._connection.execute(done, [{"of": row.id} for row in rows])
        return int(self._connection.scalar(select(func.count()).select_from(audit_lines).where(~own)) or 0)

    def move_as_owner(self, moves: Sequence[Move], *, account: str, epoch: int) -> list[Job]:
        """``move``, if the account is still looked after in this epoch; else nothing, and no job is returned."""
        if not self.is_epoch(account, epoch):
            return []
        return [job for job in self.move(moves) if isinstance(job, Job)]

    def is_epoch(self, account: str, epoch: int) -> bool:  # noqa: ARG002  # for locks that can be lost
        """True while an account is looked after in this epoch: a lock on a file is never lost."""
        return True

    def notify_answers(self, payloads: Sequence[str]) -> None:
        """Let other servers hear what callers were told, where they can."""

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
        return [to_job(row) for row in self._connection.execute(query).mappings()]

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
        return [to_job(row) for row in self._connection.execute(query).mappings()]

    def load_live_waits(self, account: str) -> dict[JobId, datetime | None]:
        """The unfinished jobs at the upstream, each with how long somebody waits for it in another process."""
        query = select(jobs.c.id, jobs.c.attended_until).where(
            jobs.c.finished.is_(False), jobs.c.account == account, jobs.c.state.in_(_LIVE_STATES)
        )
        return {JobId(job_id): until for job_id, until in self._connection.execute(query)}

    def record_waiters(self, ids: Sequence[JobId], until: datetime) -> None:
        """Note that somebody waits for these jobs."""
        for chunk in _iterate_chunks(ids):
            self._connection.execute(update(jobs).where(self.is_among(jobs.c.id, chunk)).values(attended_until=until))

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
        for table in (spending, day_totals):
            self._connection.execute(delete(table).where(table.c.day < to_utc_day(before)))
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

    def list_spending_by_caller(self, since_day: str, *, caller: str | None = None) -> list[CallerSpending]:
        """Pictures and money by UTC day, caller and account since a day, that day included, oldest first."""
        # What was free, or paid back, is none.
        is_spent = or_(spending.c.pictures != 0, spending.c.cost_micros.is_(None), spending.c.cost_micros != 0)
        keys = (spending.c.day, spending.c.caller, spending.c.account)
        query = select(
            *keys,
            spending.c.currency,
            func.sum(spending.c.pictures),
            func.sum(spending.c.cost_micros),
            func.sum(case((spending.c.is_estimate, spending.c.cost_micros), else_=0)),
            func.sum(case((spending.c.cost_micros.is_(None), 1), else_=0)),
        ).where(spending.c.day >= since_day, is_spent)
        query = query.group_by(*keys, spending.c.currency).order_by(*keys, spending.c.currency)
        query = query if caller is None else query.where(spending.c.caller == caller)
        return join_currencies(
            CallerSpending(
                day,
                name or "",
                account,
                image_count=int(image_count),
                cost={currency: to_amount(cost)} if currency else {},
                estimated={currency: to_amount(estimate)} if currency and estimate else {},
                unpriced_jobs=int(unpriced),
            )
            for day, name, account, currency, image_count, cost, estimate, unpriced in self._connection.execute(query)
        )

    def _load_jobs(
        self, ids: Sequence[JobId], *, for_update: bool = False, caller: str | None = None
    ) -> dict[str, Job]:
        jobs_by_id: dict[str, Job] = {}
        for chunk in _iterate_chunks(ids):
            query = select(jobs).where(self.is_among(jobs.c.id, chunk))
            # Here and not afterwards: another's job takes no longer than one that there is not.
            query = query if caller is None else query.where(jobs.c.caller == caller)
            # In one order everywhere, so that two processes never wait for each other's rows.
            locked = query.order_by(jobs.c.id).with_for_update() if for_update else query
            rows = self._connection.execute(locked).mappings()
            jobs_by_id |= {row["id"]: to_job(row) for row in rows}
        return jobs_by_id

    def write_states(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write down how jobs now stand: for each its id, and what has changed."""
        parameters = [{"of" if name == "id" else f"to_{name}": value for name, value in row.items()} for row in rows]
        self._connection.execute(_WRITE_STATE, parameters)

    def write_charges(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write down how many pictures jobs count as, and what they cost."""
        names = [name for name in rows[0] if name != "job_id"]
        parameters = [{"of": row["job_id"], **{f"to_{name}": row[name] for name in names}} for row in rows]
        self._connection.execute(_build_charge_update(*names), parameters)


# Built once: building a statement takes as long as executing it.
_WRITE_STATE: Final = (
    update(jobs)
    # No condition on the state: the transaction has read it with the row locked, and decided by it.
    .where(jobs.c.id == bindparam("of"))
    .values(
        state=bindparam("to_state"),
        detail=bindparam("to_detail", type_=jobs.c.detail.type),
        finished=bindparam("to_finished"),
        claim=case((bindparam("to_finished"), None), else_=jobs.c.claim),
        updated_at=bindparam("to_updated_at", type_=jobs.c.updated_at.type),
    )
)


@cache
def _build_charge_update(*names: str) -> Update:
    values = {name: bindparam(f"to_{name}", type_=spending.c[name].type) for name in names}
    return update(spending).where(spending.c.job_id == bindparam("of")).values(values)


def _build_not_found_error(missing: Sequence[JobId]) -> JobNotFound:
    return JobNotFound(f"No job has the id {', '.join(missing)}.", hint="list_jobs shows the recent jobs.")


def _iterate_chunks(values: Iterable[StrT]) -> Iterator[list[StrT]]:
    remaining = iter(dict.fromkeys(values))
    while chunk := list(islice(remaining, _IDS_PER_QUERY)):
        yield chunk
