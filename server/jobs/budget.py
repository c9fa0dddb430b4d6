"""How many pictures may be asked for: per job, and per day, by all, at an account, and by a caller. Days are UTC days.

And how many jobs of a caller may be unfinished at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from atelier_mcp.server.errors import BudgetExceeded

if TYPE_CHECKING:
    from collections.abc import Mapping


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

    def get_account_day_limit(self, account: str) -> int | None:
        """The daily limit of one account."""
        limits = self.per_account_day
        return limits if limits is None or isinstance(limits, int) else limits.get(account)

    @property
    def counts_other_jobs(self) -> bool:
        """True when what else was asked for decides: two who ask at once must then ask one after the other."""
        return self.has_day_limits or self.unfinished_per_caller is not None

    @property
    def has_day_limits(self) -> bool:
        """True when what was spent today matters."""
        return any(limit is not None for limit in (self.per_day, self.per_account_day, self.per_caller_day))


@dataclass(frozen=True, slots=True)
class Spending:
    """Pictures reserved or made on one day."""

    total: int = 0
    account: int = 0
    caller: int = 0


class CallerSpending(NamedTuple):
    """Pictures that a caller reserved or made on one day at one account."""

    day: str
    caller: str
    """Empty where an earlier version has not written it down."""
    account: str
    pictures: int

    def to_document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "day": self.day,
            "principal": self.caller,
            "provider": self.account.partition(":")[0],
            "account": self.account,
            "pictures": self.pictures,
        }


def to_utc_day(moment: datetime) -> str:
    """The UTC day a picture asked for at ``moment`` counts on: ``2026-11-20``."""
    return moment.astimezone(UTC).date().isoformat()


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
    afresh = f"it starts afresh at {_compute_next_midnight(now):%Y-%m-%d %H:%M} UTC"
    raise BudgetExceeded(
        f"This server's own limit, {setting}, is {_format_image_count(limit)} {limit_name}: "
        f"{remaining or 'none'} left, and this job asks for {image_count}.",
        hint=f"Ask for at most {remaining}, or wait: {afresh}." if remaining else f"Wait: {afresh}.",
    )


def _compute_next_midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def _format_image_count(count: int) -> str:
    return f"{count} picture" if count == 1 else f"{count} pictures"
