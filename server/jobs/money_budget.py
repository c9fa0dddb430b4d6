"""How much money jobs may cost: each, and per day (UTC), by all, at an account, and of a caller.

A limit is set for each currency. A job whose price is in no currency of a limit, or is not known, is refused by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import BudgetExceeded
from atelier_mcp.server.jobs.budget_day import format_fresh_start
from atelier_mcp.server.providers.money import Money, format_amounts

if TYPE_CHECKING:
    from atelier_mcp.server.jobs.model import Job

JOB_SETTING: Final = "ATELIER_MONEY_PER_JOB"
DAY_SETTING: Final = "ATELIER_MONEY_PER_DAY"
ACCOUNT_DAY_SETTING: Final = "ATELIER_MONEY_PER_ACCOUNT_DAY"
CALLER_DAY_SETTING: Final = "ATELIER_MONEY_PER_PRINCIPAL_DAY"
UNKNOWN_PRICE_SETTING: Final = "ATELIER_MONEY_UNKNOWN_PRICE"
PRICES_SETTING: Final = "ATELIER_PRICES"

MoneyLimit = Mapping[str, Decimal]
"""The most, by currency; empty for no limit."""


def _no_limit() -> MoneyLimit:
    return {}


@dataclass(frozen=True, slots=True)
class MoneyBudget:
    """Limits in money."""

    per_job: MoneyLimit = field(default_factory=_no_limit)
    per_day: MoneyLimit = field(default_factory=_no_limit)
    per_account_day: MoneyLimit = field(default_factory=_no_limit)
    """For each account."""
    per_caller_day: MoneyLimit = field(default_factory=_no_limit)
    """For each caller."""

    @property
    def has_day_limits(self) -> bool:
        """True when what was spent today matters."""
        return any((self.per_day, self.per_account_day, self.per_caller_day))


@dataclass(frozen=True, slots=True)
class DayCosts:
    """Costs of one day in one currency, reserved or known."""

    total: Decimal = Decimal(0)
    account: Decimal = Decimal(0)
    caller: Decimal = Decimal(0)


def check_money(budget: MoneyBudget, spent: DayCosts, job: Job) -> None:
    """Pass when what a job costs keeps within every limit; ``spent`` is in the job's currency.

    Raises ``BudgetExceeded`` naming the limit, what is left of it, and when it starts afresh.
    """
    limits = (
        (JOB_SETTING, budget.per_job, "a job", None),
        (DAY_SETTING, budget.per_day, "a day", spent.total),
        (ACCOUNT_DAY_SETTING, budget.per_account_day, f"a day at {job.account}", spent.account),
        (CALLER_DAY_SETTING, budget.per_caller_day, "a day for each caller", spent.caller),
    )
    cost = job.quote.reservation.money
    for setting, limit, limit_name, spent_amount in limits:
        if not limit:
            continue
        if cost is None:
            raise _build_unknown_error(setting, job)
        if cost.amount:
            _check_limit(setting, limit, limit_name, cost=cost, spent_amount=spent_amount, job=job)


def _check_limit(
    setting: str, limit: MoneyLimit, limit_name: str, *, cost: Money, spent_amount: Decimal | None, job: Job
) -> None:
    if cost.currency not in limit:
        raise BudgetExceeded(
            f"This server's own limit, {setting}, is {format_amounts(limit)} {limit_name}, and this job costs "
            f"about {cost}: of that currency nothing may be spent.",
            hint=f"Whoever runs the server can add a limit in {cost.currency} to {setting}.",
        )
    remaining = max(Decimal(0), limit[cost.currency] - (spent_amount or Decimal(0)))
    if cost.amount <= remaining:
        return
    most = Money(limit[cost.currency], cost.currency)
    if spent_amount is None:
        raise BudgetExceeded(
            f"This server's own limit, {setting}, is {most} {limit_name}; this one costs about {cost}.",
            hint="Ask for fewer pictures at once, or smaller ones.",
        )
    raise BudgetExceeded(
        f"This server's own limit, {setting}, is {most} {limit_name}: {Money(remaining, cost.currency)} left, and this "
        f"job costs about {cost}.",
        hint=f"Ask for less, or wait: {format_fresh_start(job.created_at)}.",
    )


def _build_unknown_error(setting: str, job: Job) -> BudgetExceeded:
    return BudgetExceeded(
        f"What {job.capability} costs at {job.account} is not known, and {setting} limits money.",
        hint=f"Whoever runs the server sets its price in {PRICES_SETTING}, or in {UNKNOWN_PRICE_SETTING} what it "
        "counts as.",
    )
