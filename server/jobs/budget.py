"""How many pictures may be asked for, beside the limits in money (``money_budget``).

Per job, and per day (UTC), by all, at an account, and by a caller. And how many jobs of a caller may be unfinished at
once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import BudgetExceeded
from atelier_mcp.server.jobs.budget_day import format_fresh_start
from atelier_mcp.server.jobs.money_budget import MoneyBudget

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NO_MONEY_LIMITS: Final = MoneyBudget()

JOB_SETTING = "ATELIER_BUDGET_PER_JOB"
DAY_SETTING = "ATELIER_BUDGET_PER_DAY"
ACCOUNT_DAY_SETTING = "ATELIER_BUDGET_PER_ACCOUNT_DAY"
CALLER_DAY_SETTING = "ATELIER_BUDGET_PER_PRINCIPAL_DAY"
UNFINISHED_SETTING = "ATELIER_MAX_JOBS_PER_PRINCIPAL"
"""Where each limit is set, for whoever meets it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits in pictures; ``None`` means no limit."""

    per_job: int | None = None
    per_day: int | None = None
    per_account_day: Mapping[str, int] | int | None = None
    """One limit for every account, or one by account."""
    per_caller_day: int | None = None
    unfinished_per_caller: int | None = None
    """In jobs."""
    money: MoneyBudget = NO_MONEY_LIMITS

    def get_account_day_limit(self, account: str) -> int | None:
        """The daily limit of one account."""
        limits = self.per_account_day
        return limits if limits is None or isinstance(limits, int) else limits.get(account)

    @property
    def counts_other_jobs(self) -> bool:
        """True when what else was asked for decides: two who ask at once must then ask one after the other."""
        return self.has_day_limits or self.money.has_day_limits or self.unfinished_per_caller is not None

    @property
    def has_day_limits(self) -> bool:
        """True when the pictures of today matter."""
        return any(limit is not None for limit in (self.per_day, self.per_account_day, self.per_caller_day))


@dataclass(frozen=True, slots=True)
class Spending:
    """Pictures reserved or made on one day."""

    total: int = 0
    account: int = 0
    caller: int = 0


def check_budget(budget: Budget, spending: Spending, *, account: str, image_count: int, now: datetime) -> None:
    """Pass when ``image_count`` more pictures keep within every limit.

    Raises ``BudgetExceeded`` naming the limit, what is left of it, and when it starts afresh.
    """
    if budget.per_job is not None and image_count > budget.per_job:
        raise BudgetExceeded(
            f"This server's own limit, {JOB_SETTING}, is {_format_image_count(budget.per_job)} a job; "
            f"this one asks for {image_count}.",
            hint="Ask for fewer pictures at once.",
        )
    _check_day(DAY_SETTING, budget.per_day, "a day", spent_count=spending.total, image_count=image_count, now=now)
    _check_day(
        ACCOUNT_DAY_SETTING,
        budget.get_account_day_limit(account),
        f"a day at {account}",
        spent_count=spending.account,
        image_count=image_count,
        now=now,
    )
    _check_day(
        CALLER_DAY_SETTING,
        budget.per_caller_day,
        "a day for each caller",
        spent_count=spending.caller,
        image_count=image_count,
        now=now,
    )


def check_unfinished(limit: int, unfinished_count: int) -> None:
    """Pass when one more job of a caller keeps within ``limit``. Raises ``BudgetExceeded``."""
    if unfinished_count >= limit:
        raise BudgetExceeded(
            f"This server's own limit, {UNFINISHED_SETTING}, is {limit} unfinished for each caller; there "
            f"{'is 1' if unfinished_count == 1 else f'are {unfinished_count}'} of yours.",
            hint="Call wait_for_jobs, then ask again.",
        )


def _check_day(
    setting: str, limit: int | None, limit_name: str, *, spent_count: int, image_count: int, now: datetime
) -> None:
    if limit is None or spent_count + image_count <= limit:
        return
    # The limit may have been lowered below what was spent today.
    remaining = max(0, limit - spent_count)
    afresh = format_fresh_start(now)
    raise BudgetExceeded(
        f"This server's own limit, {setting}, is {_format_image_count(limit)} {limit_name}: "
        f"{remaining or 'none'} left, and this job asks for {image_count}.",
        hint=f"Ask for at most {remaining}, or wait: {afresh}." if remaining else f"Wait: {afresh}.",
    )


def _format_image_count(count: int) -> str:
    return f"{count} picture" if count == 1 else f"{count} pictures"
