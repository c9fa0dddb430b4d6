"""Amounts of money, exact: limits and prices by currency, and how they are written and read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MICROS_PER_UNIT: Final = 1_000_000
"""Money is kept in millionths of its unit: less than a token costs anywhere, and whole numbers add up exactly."""
MAX_AMOUNT: Final = Decimal(1_000_000_000)
"""More is a slip of the pen; a database's sum of such amounts still fits."""
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Money:
    """So much of one currency."""

    amount: Decimal
    """Not negative; in units, not in cents."""
    currency: str
    """Three capital letters: ``USD``."""

    @classmethod
    def from_micros(cls, micros: int, currency: str) -> Money:
        """An amount in millionths, as the ledger keeps it."""
        return cls(Decimal(micros) / MICROS_PER_UNIT, currency)

    def to_micros(self) -> int:
        """In millionths, rounded up: a limit is never passed by rounding."""
        return int((self.amount * MICROS_PER_UNIT).to_integral_value(ROUND_CEILING))

    def __str__(self) -> str:
        """``0.04 USD``."""
        return f"{format_amount(self.amount)} {self.currency}"


def format_amount(amount: Decimal) -> str:
    """With two decimals, or as many more as it has, up to six."""
    text = f"{amount:.6f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<2}"


def format_amounts(amounts: Mapping[str, Decimal]) -> str:
    """``1.00 USD, 8.00 CNY``, in the order of their currencies."""
    return ", ".join(str(Money(amounts[currency], currency)) for currency in sorted(amounts))


def parse_amount(value: Any) -> Decimal:
    """A number that is an amount, from text, TOML or JSON. Raises ``ValueError``."""
    try:
        # Not a binary fraction's own digits: 0.1 is a tenth.
        amount = value if isinstance(value, Decimal) else Decimal(str(value).strip())
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite() or not 0 <= amount <= MAX_AMOUNT:
        raise ValueError(f"{value!r} is no amount; write a number from 0 to a thousand million, like 0.04")
    return amount


def parse_currency(value: Any) -> str:
    """A currency's code, in capitals. Raises ``ValueError``."""
    currency = value.strip().upper() if isinstance(value, str) else ""
    if not _CURRENCY.fullmatch(currency):
        raise ValueError(f"{value!r} is no currency; write its three letters, like USD")
    return currency


def parse_money(text: str) -> Money:
    """One amount, as an operator writes it: ``0.50 USD``. Raises ``ValueError``."""
    amount, _, currency = text.strip().partition(" ")
    if not currency:
        raise ValueError(f"{text.strip()!r} given; write an amount and its currency, like 5 USD")
    return Money(parse_amount(amount), parse_currency(currency))


def parse_amounts(text: str) -> dict[str, Decimal]:
    """Amounts by currency: ``5 USD, 30 CNY``. Raises ``ValueError``, also for a currency that is there twice."""
    amounts: dict[str, Decimal] = {}
    for part in text.split(","):
        money = parse_money(part)
        if money.currency in amounts:
            raise ValueError(f"{text.strip()!r} names {money.currency} twice")
        amounts[money.currency] = money.amount
    return amounts
