"""What drawings cost, where a price is known: by tokens, in US dollars a million (contract: conventions.billing).

Usage counts are written down with each job; budgets count pictures, since most services publish no price.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PRICES_SEEN: Final = "2026-11"


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """US dollars for a million tokens."""

    text_in: float
    image_in: float
    image_out: float


PRICES: Final = {
    "gpt-image-2.6-sunburst": TokenPrice(5, 8, 30),
    "gpt-image-2.6-flare": TokenPrice(5, 8, 30),
}


def compute_cost_usd(model_id: str, usage: Mapping[str, Any]) -> float | None:
    """The price of a drawing by its usage; None where the model's price or a count is not known."""
    price = PRICES.get(model_id)
    details = usage.get("input_tokens_details")
    match price, details, usage.get("output_tokens"):
        case TokenPrice(), {"text_tokens": int(text), "image_tokens": int(image)}, int(output):
            return round((text * price.text_in + image * price.image_in + output * price.image_out) / 1e6, 6)
        case _:
            return None
