"""What a job costs, by job, picture and token.

A rate is known from a provider's own table, or from whoever runs the server (``price_file``). What nobody knows is
``None``, which is never taken for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from atelier_mcp.server.providers.money import Money

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_KINDS: Final = ("text_in", "image_in", "image_out", "total")
"""What services count: tokens of words and of pictures that were sent, of pictures that were drawn, or all as one."""
_PER_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Rates that add up. Whatever is left at zero costs nothing."""

    currency: str
    per_job: Decimal = Decimal(0)
    per_image: Decimal = Decimal(0)
    per_million: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """By kind of token (``TOKEN_KINDS``)."""
    estimate_per_image: Decimal | None = None
    """What a picture counts as until the service tells its tokens, where nothing else says that."""
    source: str = ""
    """Whose prices these are, or of when: ``2026-11``."""

    def compute(self, image_count: int, tokens: Mapping[str, int] | None) -> Decimal | None:
        """What so many pictures and tokens cost; None where tokens have a price and were not told."""
        flat = self.per_job + self.per_image * image_count
        if not self.per_million:
            return flat
        if tokens is None or not self.per_million.keys() <= tokens.keys():
            return None
        return flat + sum((rate * tokens[kind] for kind, rate in self.per_million.items()), Decimal(0)) / _PER_MILLION

    def estimate(self, image_count: int, tokens: Mapping[str, int] | None) -> Decimal | None:
        """The same beforehand, by the tokens a provider expects or else by ``estimate_per_image``."""
        if self.per_million and self.estimate_per_image is not None:
            return self.per_job + (self.per_image + self.estimate_per_image) * image_count
        return self.compute(image_count, tokens)


class Cost(NamedTuple):
    """What a job costs, as far as it is known."""

    money: Money | None
    """None where nobody knows."""
    is_estimate: bool = False
    """It may still turn out, or may have been, another amount."""


NO_COST: Final = Cost(Money(Decimal(0), ""))
UNKNOWN_COST: Final = Cost(None)
