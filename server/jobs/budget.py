"""How many pictures may be asked for: per job, per day, and per account and day. Days are UTC days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits in pictures; ``None`` means no limit."""

    per_job: int | None = None
    per_day: int | None = None
    per_account_day: Mapping[str, int] | int | None = None
    """One limit for every account, or one by account."""

    def account_day(self, account: str) -> int | None:
        """The daily limit of one account."""
        limits = self.per_account_day
        return limits if limits is None or isinstance(limits, int) else limits.get(account)

    @property
    def counts_days(self) -> bool:
        """True when what was spent today matters."""
        return self.per_day is not None or self.per_account_day is not None


@dataclass(frozen=True, slots=True)
class Spending:
    """Pictures reserved or made on one day."""

    everywhere: int = 0
    account: int = 0


def day_of(moment: datetime) -> str:
    """The UTC day a picture asked for at ``moment`` counts on: ``2026-11-20``."""
    return moment.astimezone(UTC).date().isoformat()


def check(budget: Budget, spending: Spending, *, account: str, cost: int, now: datetime) -> None:
    """Pass when ``cost`` more pictures keep within every limit.

    Raises ``BudgetExceeded`` naming the limit, what is left of it, and when it starts afresh.
    """
    if budget.per_job is not None and cost > budget.per_job:
        raise BudgetExceeded(
            f"The limit is {_pictures(budget.per_job)} per job; this one asks for {cost}.",
            then="Ask for fewer pictures at once.",
        )
    _check_day("per day", budget.per_day, spent=spending.everywhere, cost=cost, now=now)
    _check_day(f"per day on {account}", budget.account_day(account), spent=spending.account, cost=cost, now=now)


def _check_day(what: str, limit: int | None, *, spent: int, cost: int, now: datetime) -> None:
    if limit is None or spent + cost <= limit:
        return
    left = max(0, limit - spent)
    raise BudgetExceeded(
        f"The limit is {_pictures(limit)} {what}; {left} left, and this job asks for {cost}.",
        then=f"Ask for fewer, or wait: the limit starts afresh at {_next_midnight(now):%Y-%m-%d %H:%M} UTC.",
    )


def _next_midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def _pictures(count: int) -> str:
    return f"{count} picture" if count == 1 else f"{count} pictures"
