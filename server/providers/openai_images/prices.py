"""What drawings cost at OpenAI, where a price is known: by tokens (contract: conventions.billing).

Others who serve a model of the same name ask their own prices, which the operator can set (``price_file``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.providers.price import Price

if TYPE_CHECKING:
    from atelier_mcp.server.images.finish_plan import Size

PRICES_SEEN: Final = "2026-11"
PRICED_SERVER: Final = "openai"
"""Whose prices these are, by its row among the servers."""


def _build_price(text_in: int, image_in: int, image_out: int) -> Price:
    """US dollars for a million tokens."""
    rates = {"text_in": Decimal(text_in), "image_in": Decimal(image_in), "image_out": Decimal(image_out)}
    return Price(currency="USD", per_million=rates, source=PRICES_SEEN)


PRICES: Final = {
    "gpt-image-2.6-sunburst": _build_price(5, 8, 30),
    "gpt-image-2.6-flare": _build_price(5, 8, 30),
}
OUTPUT_TOKENS: Final = {"low": 196, "medium": 439, "high": 1756, "xhigh": 3122, "max": 7024}
"""Of a drawing of 1024x1024, by quality (contract: conventions.output_tokens_seen); for what is reserved alone."""
DEFAULT_QUALITY: Final = "high"
"""What ``auto``, which the server decides, is counted as."""
SOURCE_TOKENS: Final = OUTPUT_TOKENS["high"]
"""What a picture that is sent is counted as: nobody publishes that, and it is rather less."""
PIXELS_SEEN: Final = 1024 * 1024
CHARACTERS_PER_TOKEN: Final = 2
"""Rather few: words of English have more, Chinese ones fewer."""


def find_price(server_id: str, model_id: str) -> Price | None:
    """The price of a model at a server, where it is known."""
    return PRICES.get(model_id) if server_id == PRICED_SERVER else None


def expect_tokens(
    *, prompt: str, quality: str | None, size: Size | None, image_count: int, source_count: int
) -> dict[str, int]:
    """How many tokens so many drawings will take, by kind: rather too many."""
    share = (size[0] * size[1] if size else PIXELS_SEEN) / PIXELS_SEEN
    output_tokens = OUTPUT_TOKENS.get(quality or "", OUTPUT_TOKENS[DEFAULT_QUALITY])
    return {
        "text_in": len(prompt) // CHARACTERS_PER_TOKEN + 1,
        "image_in": source_count * SOURCE_TOKENS,
        "image_out": round(output_tokens * max(share, 1.0)) * image_count,
    }
