"""What is read from and written to the tables, inside a transaction that someone else holds.

Portable SQL throughout; rows become ``Job`` here and nowhere else.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, case, func, insert, select, update

from atelier_mcp.server.errors import JobNotFound
from atelier_mcp.server.jobs.budget import Budget, Spending, check, day_of
from atelier_mcp.server.jobs.documents import state_from_document, state_to_document
from atelier_mcp.server.jobs.model import (
    Job,
    JobId,
    Move,
    Queued,
    Running,
    Saving,
    Submitting,
    may_follow,
    state_name,
)
from atelier_mcp.server.jobs.schedule import REMEMBERED_DURATIONS, typical_of
from atelier_mcp.server.jobs.tables import durations, jobs, spending

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, RowMapping

_IDS_PER_QUERY: Final = 500
"""Well under the number of parameters any SQLite takes."""
_LIVE: Final = tuple(kind.__name__.lower() for kind in (Queued, Running, Saving))


class Records:
    """The ledger's tables through one open connection."""

    def __init__(self, connection: Connection) -> None:
        """Work on ``connection``; the caller commits."""
        self._connection = connection
        self.changed: list[Job] = []
        """Jobs written so far, as they are now."""

    def open_job(self, job: Job, *, fingerprint: str, budget: Budget, process: str) -> Job:
        """Write a new job down and reserve its pictures, or find the unfinished job that asks for the same.

        Raises ``BudgetExceeded``, and then nothing is written.
        """
        twin = self.unfinished_twin(job.caller, fingerprint)
        if twin is not None:
            return twin
        day = day_of(job.created_at)
        spent = self._spent(day, job.account) if budget.counts_days else Spending()
        check(budget, spent, account=job.account, cost=job.cost, now=job.created_at)
        self._connection.execute(insert(jobs), _row(job, fingerprint=fingerprint, process=process))
        self._connection.execute(
            insert(spending), {"job_id": job.id, "account": job.account, "day": day, "pictures": job.cost}
        )
        self.changed.append(job)
        return job

    def unfinished_twin(self, caller: str, fingerprint: str) -> Job | None:
        """The unfinished job of ``caller`` that asks for the same, if there is one."""
        row = (
            self._connection.execute(select(jobs).where(jobs.c.claim == _claim(caller, fingerprint))).mappings().first()
        )
        return None if row is None else _job(row)

    def move(self, moves: Sequence[Move]) -> list[Job | JobNotFound]:
        """Move each job where it may go (see ``may_follow``), one move after the other, in three statements.

        Returns each job as it then stands, or the error for one that is not there.
        """
        standing: dict[str, Job] = dict(self._found([move.job_id for move in moves], locked=True))
        moved: dict[JobId, int | None] = {}
        results: list[Job | JobNotFound] = []
        for move in moves:
            job = standing.get(move.job_id)
            if job is not None and may_follow(job.state, move.state):
                # Whoever compares two versions of a job goes by this moment, so it follows no clock that was set back.
                job = standing[job.id] = replace(job, state=move.state, updated_at=max(move.at, job.updated_at))
                moved[job.id] = moved.get(job.id) if move.charge is None else move.charge
            results.append(job or _not_found([move.job_id]))
        if moved:
            self._write_states([standing[job_id] for job_id in moved])
            self._write_charges(moved)
            self.changed += [standing[job_id] for job_id in moved]
        return results

    def get(self, ids: Sequence[JobId]) -> list[Job]:
        """The jobs of these ids, in order. Raises ``JobNotFound`` naming those there are none of."""
        found = self._found(ids)
        missing = [job_id for job_id in dict.fromkeys(ids) if job_id not in found]
        if missing:
            raise _not_found(missing)
        return [found[job_id] for job_id in ids]

    def recent(self, states: Collection[str] | None, *, limit: int, offset: int) -> list[Job]:
        """Jobs, newest first."""
        query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit).offset(offset)
        if states is not None:
            query = query.where(jobs.c.state.in_(states))
        return [_job(row) for row in self._connection.execute(query).mappings()]

    def unfinished(self, account: str | None) -> list[Job]:
        """Jobs with something still to happen, oldest first; of one account or of all."""
        query = select(jobs).where(jobs.c.finished.is_(False)).order_by(jobs.c.created_at)
        if account is not None:
            query = query.where(jobs.c.account == account)
        return [_job(row) for row in self._connection.execute(query).mappings()]

    def live(self, account: str) -> dict[JobId, datetime | None]:
        """The jobs that the upstream has and that are not finished, each with how long it is attended elsewhere."""
        query = select(jobs.c.id, jobs.c.attended_until).where(
            jobs.c.finished.is_(False), jobs.c.account == account, jobs.c.state.in_(_LIVE)
        )
        return {JobId(job_id): until for job_id, until in self._connection.execute(query)}

    def attend(self, ids: Sequence[JobId], until: datetime) -> None:
        """Note that somebody waits for these jobs."""
        for some in _chunks(ids):
            self._connection.execute(update(jobs).where(jobs.c.id.in_(some)).values(attended_until=until))

    def submitting(self, accounts: Collection[str]) -> list[tuple[JobId, str]]:
        """Jobs whose submit has no answer yet, each with the process that sends it."""
        query = select(jobs.c.id, jobs.c.process).where(
            jobs.c.finished.is_(False), jobs.c.account.in_(accounts), jobs.c.state == state_name(Submitting())
        )
        return [(JobId(job_id), process) for job_id, process in self._connection.execute(query)]

    def learn(self, account: str, capability: str, seconds: Sequence[float]) -> float:
        """Remember how long more such jobs took; returns what is typical now."""
        newest = [round(one, 3) for one in seconds]
        samples = [*self._samples(account, capability), *newest][-REMEMBERED_DURATIONS:]
        where = (durations.c.account == account, durations.c.capability == capability)
        if self._connection.execute(update(durations).where(*where).values(samples_s=samples)).rowcount == 0:
            row = {"account": account, "capability": capability, "samples_s": samples}
            self._connection.execute(insert(durations), row)
        return typical_of(samples)

    def typical_s(self, account: str, capability: str) -> float | None:
        """How long such jobs usually take, where one was seen."""
        samples = self._samples(account, capability)
        return typical_of(samples) if samples else None

    def spent(self, day: str, account: str) -> Spending:
        """Pictures reserved or made on a day such as ``2026-11-20``."""
        return self._spent(day, account)

    def _samples(self, account: str, capability: str) -> list[float]:
        where = (durations.c.account == account, durations.c.capability == capability)
        return self._connection.scalars(select(durations.c.samples_s).where(*where)).first() or []

    def _spent(self, day: str, account: str) -> Spending:
        of_account = func.sum(case((spending.c.account == account, spending.c.pictures), else_=0))
        query = select(func.sum(spending.c.pictures), of_account).where(spending.c.day == day)
        everywhere, here = self._connection.execute(query).one()
        return Spending(int(everywhere or 0), int(here or 0))

    def _found(self, ids: Sequence[JobId], *, locked: bool = False) -> dict[str, Job]:
        found: dict[str, Job] = {}
        for some in _chunks(ids):
            query = select(jobs).where(jobs.c.id.in_(some))
            rows = self._connection.execute(query.with_for_update() if locked else query).mappings()
            found |= {row["id"]: _job(row) for row in rows}
        return found

    def _write_states(self, changed: Sequence[Job]) -> None:
        statement = (
            update(jobs)
            .where(jobs.c.id == bindparam("of"), jobs.c.finished.is_(False))
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
                    "to_state": state_name(job.state),
                    "to_detail": state_to_document(job.state),
                    "to_finished": job.finished,
                    "at": job.updated_at,
                }
                for job in changed
            ],
        )

    def _write_charges(self, charges: Mapping[JobId, int | None]) -> None:
        known = [{"of": job_id, "to": charge} for job_id, charge in charges.items() if charge is not None]
        if known:
            statement = update(spending).where(spending.c.job_id == bindparam("of")).values(pictures=bindparam("to"))
            self._connection.execute(statement, known)


def _not_found(missing: Sequence[JobId]) -> JobNotFound:
    return JobNotFound(f"No job has the id {', '.join(missing)}.", then="list_jobs shows the recent jobs.")


def _claim(caller: str, fingerprint: str) -> str:
    return sha256(f"{caller}\n{fingerprint}".encode()).hexdigest()


def _row(job: Job, *, fingerprint: str, process: str) -> dict[str, Any]:
    return {
        "id": job.id,
        "capability": job.capability,
        "provider": job.provider,
        "account": job.account,
        "caller": job.caller,
        "fingerprint": fingerprint,
        "claim": None if job.finished else _claim(job.caller, fingerprint),
        "request": dict(job.request),
        "notes": list(job.notes),
        "cost": job.cost,
        "state": state_name(job.state),
        "detail": state_to_document(job.state),
        "finished": job.finished,
        "process": process,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "deadline": job.deadline,
    }


def _job(row: RowMapping) -> Job:
    return Job(
        id=JobId(row["id"]),
        capability=row["capability"],
        provider=row["provider"],
        account=row["account"],
        caller=row["caller"],
        request=row["request"],
        notes=tuple(row["notes"]),
        cost=row["cost"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deadline=row["deadline"],
        state=state_from_document(row["state"], row["detail"]),
    )


def _chunks(ids: Sequence[JobId]) -> Iterator[list[JobId]]:
    remaining = iter(dict.fromkeys(ids))
    while some := list(islice(remaining, _IDS_PER_QUERY)):
        yield some
