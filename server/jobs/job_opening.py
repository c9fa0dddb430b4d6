"""Writing new jobs down: one for each request, within the budgets, however many arrive at once.

All that wait for a commit are opened together, so that many cost few statements. Two things must not be decided by
two processes at once, and both are decided by the database: what is left of a day's budget, under a lock that lasts to
the end of the transaction, and which of two equal requests is the job, by the claim's being unique.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from atelier_mcp.server.errors import BudgetExceeded
from atelier_mcp.server.jobs.budget import Spending, check_budget, check_unfinished
from atelier_mcp.server.jobs.budget_day import to_utc_day
from atelier_mcp.server.jobs.money_budget import DayCosts, check_money
from atelier_mcp.server.jobs.spending import to_amount

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.model import Job


NOBODY: Final = MappingProxyType(dict[str, str]())


class Opening(NamedTuple):
    """A job that is to be written down."""

    job: Job
    fingerprint: str
    """Equal for equal requests."""
    budget: Budget
    process: str
    """Who will send the submit."""
    person: Mapping[str, str] = NOBODY
    """Who asked, where the audit log says more of that than the caller's name."""

    @property
    def claim(self) -> str:
        """What only one unfinished job can have."""
        return compute_claim(self.job.caller, self.fingerprint)

    @property
    def day(self) -> str:
        """The UTC day on which its pictures count."""
        return to_utc_day(self.job.created_at)


class OpeningTables(Protocol):
    """What of the tables opening needs."""

    def lock_budgets(self) -> None:
        """Let no other transaction count what was spent until this one has ended."""
        ...

    def find_claimed(self, claims: Collection[str]) -> Mapping[str, Job]:
        """The unfinished jobs that hold one of these claims."""
        ...

    def read_day_spending(self, days: Collection[str]) -> Mapping[tuple[str, str, str], int]:
        """Pictures by UTC day, account and caller."""
        ...

    def read_day_costs(self, days: Collection[str]) -> Mapping[tuple[str, str, str, str], int]:
        """What is known of costs, in millionths, by UTC day, account, caller and currency."""
        ...

    def count_unfinished_by_caller(self, callers: Collection[str]) -> Mapping[str, int]:
        """How many unfinished jobs each of these callers has."""
        ...

    def insert_openings(self, openings: Sequence[Opening]) -> Collection[str]:
        """Write jobs with what they spend; returns the ids of those whose claim nobody else holds by now."""
        ...


def compute_claim(caller: str, fingerprint: str) -> str:
    """What the one unfinished job of a caller and a request holds."""
    return sha256(f"{caller}\n{fingerprint}".encode()).hexdigest()


def open_jobs(tables: OpeningTables, openings: Sequence[Opening]) -> tuple[list[Job | BudgetExceeded], list[Job]]:
    """Open jobs as if one after the other.

    Returns what came of each (itself, the unfinished job that asks for the same, or the refusal), and the jobs that are
    new.
    """
    # Locked before the others are looked for: whoever held the lock may have opened the same.
    if any(opening.budget.counts_other_jobs for opening in openings):
        tables.lock_budgets()
    jobs_by_claim: dict[str, Job] = {}
    refusals: dict[int, BudgetExceeded] = {}
    new_jobs: list[Job] = []
    missing = list(openings)
    # Again only for those whose like was written by another process since it was looked for, and without the lock.
    while missing:
        jobs_by_claim |= tables.find_claimed({opening.claim for opening in missing})
        wanted = _reserve([one for one in missing if one.claim not in jobs_by_claim], tables, refusals)
        written_ids = tables.insert_openings(wanted) if wanted else ()
        written = [opening for opening in wanted if opening.job.id in written_ids]
        jobs_by_claim |= {opening.claim: opening.job for opening in written}
        new_jobs += [opening.job for opening in written]
        missing = [one for one in missing if one.claim not in jobs_by_claim and id(one) not in refusals]
    return [refusals.get(id(opening)) or jobs_by_claim[opening.claim] for opening in openings], new_jobs


def _reserve(openings: Sequence[Opening], tables: OpeningTables, refusals: dict[int, BudgetExceeded]) -> list[Opening]:
    """The openings that are within their budgets, one for each claim; the refusals of the others are put down."""
    reservations = _Reservations(openings, tables)
    chosen: dict[str, Opening] = {}
    for opening in openings:
        if opening.claim in chosen:
            continue
        try:
            reservations.add(opening)
        except BudgetExceeded as error:
            refusals[id(opening)] = error
        else:
            chosen[opening.claim] = opening
    # In one order everywhere, so that two processes never wait for each other's claims.
    return [chosen[claim] for claim in sorted(chosen)]


class _Reservations:
    """What was spent, with what is being reserved."""

    def __init__(self, openings: Sequence[Opening], tables: OpeningTables) -> None:
        days = {opening.day for opening in openings if opening.budget.has_day_limits}
        money_days = {opening.day for opening in openings if opening.budget.money.has_day_limits}
        callers = {one.job.caller for one in openings if one.budget.unfinished_per_caller is not None}
        self._pictures = Counter(tables.read_day_spending(days) if days else {})
        self._costs = Counter(tables.read_day_costs(money_days) if money_days else {})
        self._unfinished = Counter(tables.count_unfinished_by_caller(callers) if callers else {})

    def add(self, opening: Opening) -> None:
        """Reserve the pictures and the money of a job. Raises ``BudgetExceeded``."""
        job, budget = opening.job, opening.budget
        spending = self._sum_up(opening)
        check_budget(budget, spending, account=job.account, image_count=job.image_count, now=job.created_at)
        check_money(budget.money, self._sum_up_costs(opening), job)
        if budget.unfinished_per_caller is not None:
            check_unfinished(budget.unfinished_per_caller, self._unfinished[job.caller])
        self._pictures[opening.day, job.account, job.caller] += job.image_count
        self._unfinished[job.caller] += 1
        if (cost := job.quote.reservation.money) is not None:
            self._costs[opening.day, job.account, job.caller, cost.currency] += cost.to_micros()

    def _sum_up(self, opening: Opening) -> Spending:
        job = opening.job
        of_day = [(key, count) for key, count in self._pictures.items() if key[0] == opening.day]
        return Spending(
            total=sum(count for _, count in of_day),
            account=sum(count for (_, account, _), count in of_day if account == job.account),
            caller=sum(count for (_, _, caller), count in of_day if caller == job.caller),
        )

    def _sum_up_costs(self, opening: Opening) -> DayCosts:
        job, cost = opening.job, opening.job.quote.reservation.money
        if cost is None:
            return DayCosts()
        known = [
            (key, count) for key, count in self._costs.items() if key[0] == opening.day and key[3] == cost.currency
        ]
        return DayCosts(
            total=to_amount(sum(count for _, count in known)),
            account=to_amount(sum(count for (_, account, _, _), count in known if account == job.account)),
            caller=to_amount(sum(count for (_, _, caller, _), count in known if caller == job.caller)),
        )
