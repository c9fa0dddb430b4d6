"""The operator's own prices, from the TOML file that ``ATELIER_PRICES`` names: they go before what a provider knows.

[[price]]
provider = "mhapi"                # and, where it matters, account, capability, model
currency = "CNY"
per_image = 0.20                  # per_job, per_image and per_million add up

[[price]]
provider = "openai"
model = "my-model"
currency = "USD"
per_million = { text_in = 5, image_in = 8, image_out = 30 }
estimate_per_image = 0.05         # until the service has told its tokens
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from atelier_mcp.server.providers.money import Money, parse_amount, parse_currency
from atelier_mcp.server.providers.price import TOKEN_KINDS, Price
from atelier_mcp.server.providers.quote import UNKNOWN_QUOTE, Quote
from atelier_mcp.server.validation import explain_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

SOURCE: Final = "ATELIER_PRICES"
"""Who says what such a price is."""

Amount = Annotated[Decimal, BeforeValidator(parse_amount)]
Currency = Annotated[str, BeforeValidator(parse_currency)]


class PricedJob(NamedTuple):
    """What decides which price a job has; in the order of a ``PriceEntry``."""

    provider: str
    account: str
    capability: str
    model: str


class PriceEntry(BaseModel):
    """One table of the file: which jobs it is about, and what they cost."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    provider: str = Field(min_length=1)
    account: str = ""
    """Empty for every account at the provider; so it is with the next two."""
    capability: str = ""
    model: str = ""
    currency: Currency
    per_job: Amount | None = None
    per_image: Amount | None = None
    per_million: dict[str, Amount] = Field(default_factory=dict[str, Decimal])
    estimate_per_image: Amount | None = None

    @model_validator(mode="after")
    def _check(self) -> PriceEntry:
        if unknown := sorted(self.per_million.keys() - set(TOKEN_KINDS)):
            raise ValueError(f"per_million has {', '.join(TOKEN_KINDS)}, and no {unknown[0]}")
        if self.per_job is None and self.per_image is None and not self.per_million:
            raise ValueError("a price needs per_job, per_image or per_million; write per_job = 0 for what is free")
        if "total" in self.per_million and len(self.per_million) > 1:
            raise ValueError("per_million: total stands for all tokens, and alone")
        return self

    def is_about(self, job: PricedJob) -> bool:
        """True for a job that this price is the price of."""
        stated = (self.provider, self.account, self.capability, self.model)
        return all(not name or name == actual for name, actual in zip(stated, job, strict=True))

    def count_names(self) -> int:
        """How narrowly it says what it is about."""
        return sum(map(bool, (self.account, self.capability, self.model)))

    def to_price(self) -> Price:
        """The rates alone."""
        return Price(
            currency=self.currency,
            per_job=self.per_job or Decimal(0),
            per_image=self.per_image or Decimal(0),
            per_million=self.per_million,
            estimate_per_image=self.estimate_per_image,
            source=SOURCE,
        )


class PriceBook:
    """The operator's prices, and what a job counts as that nobody knows the price of."""

    def __init__(self, entries: Sequence[PriceEntry] = (), *, unknown_price: Money | None = None) -> None:
        """Without entries only a provider's own price counts; without ``unknown_price`` the unknown stays that."""
        self._entries = entries
        self._unknown_price = unknown_price

    def quote(
        self, job: PricedJob, *, image_count: int, own_price: Price | None, tokens: Mapping[str, int] | None
    ) -> Quote:
        """What a job of so many pictures costs: by the operator's narrowest price, or by the provider's own.

        ``tokens`` are those that the provider expects, by kind; None where it expects nothing.
        """
        entries = [entry for entry in self._entries if entry.is_about(job)]
        # Of two that are as narrow the later one holds.
        price = max(reversed(entries), key=PriceEntry.count_names).to_price() if entries else own_price
        if price is None:
            return self._assume()
        reserved = price.estimate(image_count, tokens)
        if reserved is None and self._unknown_price and self._unknown_price.currency == price.currency:
            reserved = self._unknown_price.amount
        return Quote(price=price, reserved=reserved)

    def _assume(self) -> Quote:
        if self._unknown_price is None:
            return UNKNOWN_QUOTE
        return Quote(reserved=self._unknown_price.amount, assumed_currency=self._unknown_price.currency)


def read_price_file(path: Path, *, providers: Collection[str] = ()) -> tuple[PriceEntry, ...]:
    """The prices in a file; ``providers`` are the names there are, by default any.

    Raises ``ValueError``, in one sentence, for a file that cannot be read or is wrong.
    """
    try:
        # Decimals as they are written: as binary fractions they would not add up.
        document = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except OSError as err:
        raise ValueError(f"{path} cannot be read: {err.strerror or err}") from err
    except ValueError as err:  # no TOML, or no text
        raise ValueError(f"{path} is not TOML: {err}") from err
    tables: Any = document.pop("price", [])
    if document or not isinstance(tables, list):
        raise ValueError(f"{path}: each price is a table of its own, under [[price]]")
    numbered = enumerate(cast("list[Any]", tables), 1)
    return tuple(_read_entry(table, f"{path}, price {number}", providers) for number, table in numbered)


def _read_entry(table: object, place: str, providers: Collection[str]) -> PriceEntry:
    if not isinstance(table, dict):
        raise ValueError(f"{place}: is no table; write [[price]] above it")  # noqa: TRY004  # the reader's mistake
    try:
        entry = PriceEntry.model_validate(table)
    except ValidationError as err:
        raise ValueError(f"{place}: {explain_errors(err)[0].rstrip('.')}") from err
    if providers and entry.provider not in providers:
        raise ValueError(f"{place}: there is no service {entry.provider!r}; there are {', '.join(sorted(providers))}")
    return entry
