"""What was known of a job's price when it was written down, and what it turns out to cost by that.

It is kept with the job, so that any process settles it alike, also after the prices were changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.providers.money import Money, parse_amount, parse_currency
from atelier_mcp.server.providers.price import NO_COST, UNKNOWN_COST, Cost, Price

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a job will cost, as far as anybody knows."""

    is_free: bool = False
    """Nothing that it does costs money."""
    price: Price | None = None
    reserved: Decimal | None = None
    """What it counts as until more is known, in the currency of ``price`` or ``currency``."""
    assumed_currency: str = ""
    """The currency of ``reserved`` where there is no price: the operator lets such jobs count as so much."""

    @property
    def reservation(self) -> Cost:
        """What the job counts as from before it is sent."""
        if self.is_free:
            return NO_COST
        if self.reserved is None:
            return UNKNOWN_COST
        is_fixed = self.price is not None and not self.price.per_million
        return Cost(Money(self.reserved, self._currency), is_estimate=not is_fixed)

    def settle(self, image_count: int, data: Mapping[str, Any]) -> Cost:
        """What the job costs by what came of it: pictures, and the tokens in ``data`` (see ``count_tokens``)."""
        if self.is_free or self.price is None:
            return self.reservation
        amount = self.price.compute(image_count, count_tokens(data))
        return self.reservation if amount is None else Cost(Money(amount, self._currency))

    @property
    def _currency(self) -> str:
        return self.price.currency if self.price else self.assumed_currency


UNKNOWN_QUOTE: Final = Quote()
FREE_QUOTE: Final = Quote(is_free=True)


def count_tokens(data: Mapping[str, Any]) -> dict[str, int] | None:
    """Tokens by kind in what a job found out: its ``usage``, named as OpenAI does, or the number of ``tokens``.

    None where nothing was told.
    """
    usage = data.get("usage")
    counts = cast("dict[str, Any]", usage) if isinstance(usage, dict) else {}
    details = counts.get("input_tokens_details")
    inputs = cast("dict[str, Any]", details) if isinstance(details, dict) else {}
    found = {
        "text_in": inputs.get("text_tokens"),
        "image_in": inputs.get("image_tokens"),
        "image_out": counts.get("output_tokens"),
        "total": counts.get("total_tokens", data.get("tokens")),
    }
    # A count below nothing, or a number with decimals, is none: it would pay money back.
    return {kind: count for kind, count in found.items() if type(count) is int and count >= 0} or None


def encode_quote(quote: Quote) -> dict[str, Any] | None:
    """As the ledger keeps it, without what is not there; amounts as text."""
    if quote == UNKNOWN_QUOTE:
        return None
    document: dict[str, Any] = {"free": True} if quote.is_free else {}
    if quote.reserved is not None:
        document["reserved"] = str(quote.reserved)
    if quote.assumed_currency:
        document["assumed_currency"] = quote.assumed_currency
    if (price := quote.price) is not None:
        rates = {"per_job": price.per_job, "per_image": price.per_image, "estimate_per_image": price.estimate_per_image}
        document["price"] = {
            "currency": price.currency,
            **{name: str(rate) for name, rate in rates.items() if rate is not None},
            "per_million": {kind: str(rate) for kind, rate in price.per_million.items()},
            "source": price.source,
        }
    return document


def decode_quote(document: Any) -> Quote:
    """What ``encode_quote`` made; unknown for what is none of it, of a newer version or damaged."""
    try:
        return _decode(document) if document is not None else UNKNOWN_QUOTE
    except (AttributeError, KeyError, TypeError, ValueError):
        return UNKNOWN_QUOTE


def _decode(document: Mapping[str, Any]) -> Quote:
    reserved, price = document.get("reserved"), document.get("price")
    return Quote(
        is_free=document.get("free") is True,
        price=None if price is None else _decode_price(price),
        reserved=None if reserved is None else parse_amount(reserved),
        assumed_currency=document.get("assumed_currency", ""),
    )


def _decode_price(document: Mapping[str, Any]) -> Price:
    estimate = document.get("estimate_per_image")
    return Price(
        currency=parse_currency(document["currency"]),
        per_job=parse_amount(document.get("per_job", 0)),
        per_image=parse_amount(document.get("per_image", 0)),
        per_million={kind: parse_amount(rate) for kind, rate in document["per_million"].items()},
        estimate_per_image=None if estimate is None else parse_amount(estimate),
        source=str(document["source"]),
    )
