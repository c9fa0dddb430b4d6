"""What counts as a number in a request: Python's JSON reader lets through more than JSON has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import TypeGuard

MOST_DIGITS: Final = 18
"""Of a whole number written as text; no parameter has more, and Python refuses to read thousands of them."""


def is_finite_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value of a JSON document is a number that can be compared and computed with.

    Not so ``true``, the ``Infinity`` and ``NaN`` of Python's reader, and integers too large for a float.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def parse_integer(text: str) -> int | None:
    """The whole number that a text of decimal digits is, with or without a minus; None for any other text."""
    digits = text.removeprefix("-")
    return int(text) if len(digits) <= MOST_DIGITS and digits.isascii() and digits.isdecimal() else None
