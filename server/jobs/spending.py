"""What was spent, for whoever keeps books: pictures and money by day, caller and account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.money import MICROS_PER_UNIT, format_amount

if TYPE_CHECKING:
    from collections.abc import Iterable

Amounts = Mapping[str, Decimal]
"""Money by currency."""


@dataclass(frozen=True, slots=True)
class CallerSpending:
    """What a caller reserved or spent on one day at one account."""

    day: str
    caller: str
    """Empty where an earlier version has not written it down."""
    account: str
    image_count: int
    cost: Amounts = field(default_factory=dict[str, Decimal])
    estimated: Amounts = field(default_factory=dict[str, Decimal])
    """What of it is an estimate: the job is not finished, or the service has not told."""
    unpriced_jobs: int = 0
    """Jobs whose price nobody knows: they are in no sum of money."""

    def to_document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "day": self.day,
            "principal": self.caller,
            "provider": self.account.partition(":")[0],
            "account": self.account,
            "pictures": self.image_count,
            "cost": amounts_to_document(self.cost),
            "estimated": amounts_to_document(self.estimated),
            "unpriced_jobs": self.unpriced_jobs,
        }


def amounts_to_document(amounts: Amounts) -> dict[str, str]:
    """Amounts as text: a program's own floating point number would round them."""
    return {currency: format_amount(amount) for currency, amount in amounts.items()}


def to_amount(micros: Any) -> Decimal:
    """What a database has summed up, in units."""
    return Decimal(int(micros or 0)) / MICROS_PER_UNIT


def add_amounts(amounts: Iterable[Amounts]) -> dict[str, Decimal]:
    """The sum, for each currency apart."""
    sums: dict[str, Decimal] = {}
    for one in amounts:
        for currency, amount in one.items():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return sums


def join_currencies(rows: Iterable[CallerSpending]) -> list[CallerSpending]:
    """One row for each day, caller and account, from one for each currency as well; in the same order."""
    joined: dict[tuple[str, str, str], CallerSpending] = {}
    for row in rows:
        key = row.day, row.caller, row.account
        known = joined.get(key)
        joined[key] = row if known is None else _add(known, row)
    return list(joined.values())


def sum_up(rows: Iterable[CallerSpending]) -> CallerSpending:
    """All of them as one, of no day, caller or account."""
    return reduce(_add, rows, CallerSpending("", "", "", 0))


def _add(known: CallerSpending, row: CallerSpending) -> CallerSpending:
    return replace(
        known,
        image_count=known.image_count + row.image_count,
        cost=add_amounts([known.cost, row.cost]),
        estimated=add_amounts([known.estimated, row.estimated]),
        unpriced_jobs=known.unpriced_jobs + row.unpriced_jobs,
    )
