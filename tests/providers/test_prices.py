"""What a job costs: exact, by the narrowest price there is, and unknown where nobody knows."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.providers.money import Money, parse_amounts
from atelier_mcp.server.providers.price import NO_COST, Cost, Price
from atelier_mcp.server.providers.price_file import PriceBook, PricedJob, read_price_file
from atelier_mcp.server.providers.quote import (
    FREE_QUOTE,
    UNKNOWN_QUOTE,
    Quote,
    count_tokens,
    decode_quote,
    encode_quote,
)

if TYPE_CHECKING:
    from pathlib import Path

JOB = PricedJob("mhapi", "mhapi:3f9a12c4", "generate_image", "m-1")
BY_TOKENS = Price(currency="USD", per_million={"text_in": Decimal(5), "image_out": Decimal(30)}, source="2026-11")
TOKENS = {"text_in": 10, "image_out": 1000}


def quote(book: PriceBook, job: PricedJob = JOB, **more: Any) -> Quote:
    options: dict[str, Any] = {"image_count": 2, "own_price": None, "tokens": None, **more}
    return book.quote(job, **options)


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def write_and_read(text: str, **options: Any) -> PriceBook:
        (tmp_path / "prices.toml").write_text(text, "utf-8")
        return PriceBook(read_price_file(tmp_path / "prices.toml"), **options)

    return write_and_read


def test_the_narrowest_price_holds_and_of_two_as_narrow_the_later(load: Any) -> None:
    book = load("""
        [[price]]
        provider = "mhapi"
        capability = "generate_image"
        currency = "cny"
        per_image = 0.1
        per_job = 0.02
        [[price]]
        provider = "mhapi"
        currency = "USD"
        per_image = 9
        [[price]]
        provider = "mhapi"
        currency = "USD"
        per_image = 8
        [[price]]
        provider = "sensenova"
        currency = "USD"
        per_image = 7
    """)
    assert quote(book).reservation == Cost(Money(Decimal("0.22"), "CNY"))
    assert quote(book, JOB._replace(capability="upscale_image")).reservation == Cost(Money(Decimal(16), "USD"))
    assert quote(book, JOB._replace(provider="miaohua")) == UNKNOWN_QUOTE


def test_decimals_add_up_as_they_are_written(load: Any) -> None:
    """Three tenths and not a little more."""
    book = load('[[price]]\nprovider = "mhapi"\ncurrency = "USD"\nper_image = 0.1\n')
    assert quote(book, image_count=3).reservation == Cost(Money(Decimal("0.3"), "USD"))
    assert Money(Decimal("0.0000001"), "USD").to_micros() == 1


def test_the_operators_price_goes_before_the_providers_own(load: Any) -> None:
    book = load('[[price]]\nprovider = "mhapi"\nmodel = "m-1"\ncurrency = "EUR"\nper_job = 0\n')
    assert quote(book, own_price=BY_TOKENS, tokens=TOKENS).reservation.money == Money(Decimal(0), "EUR")
    other = quote(book, JOB._replace(model="m-2"), own_price=BY_TOKENS, tokens=TOKENS)
    assert other.reservation == Cost(Money(Decimal("0.03005"), "USD"), is_estimate=True)


def test_what_nobody_knows_is_unknown_and_counts_as_much_as_the_operator_says() -> None:
    assert quote(PriceBook()).reservation == Cost(None)
    assumed = quote(PriceBook(unknown_price=Money(Decimal("0.5"), "USD")))
    assert assumed.reservation == Cost(Money(Decimal("0.5"), "USD"), is_estimate=True)
    assert assumed.settle(2, {"usage": {"output_tokens": 7}}) == assumed.reservation


def test_a_price_of_tokens_is_known_when_all_of_them_are_told() -> None:
    taken = quote(PriceBook(), own_price=BY_TOKENS, tokens=None)
    assert taken.reservation == Cost(None)
    usage = {"input_tokens_details": {"text_tokens": 100, "image_tokens": 0}, "output_tokens": 1000}
    assert taken.settle(1, {"usage": usage}) == Cost(Money(Decimal("0.0305"), "USD"))
    assert taken.settle(1, {"usage": {"output_tokens": 1000}}) == Cost(None)


def test_an_estimate_of_a_picture_is_reserved_until_tokens_are_told(load: Any) -> None:
    book = load("""
        [[price]]
        provider = "mhapi"
        currency = "USD"
        per_million = { total = 2 }
        estimate_per_image = 0.05
    """)
    assert quote(book).reservation == Cost(Money(Decimal("0.1"), "USD"), is_estimate=True)
    assert quote(book).settle(2, {"tokens": 500_000}) == Cost(Money(Decimal(1), "USD"))


@pytest.mark.parametrize(
    "usage",
    [None, [], "7", {"output_tokens": "7"}, {"output_tokens": -7}, {"output_tokens": 7.5}, {"output_tokens": True},
     {"input_tokens_details": 3}, {"total_tokens": None}],
)  # fmt: skip
def test_what_is_no_count_is_none(usage: Any) -> None:
    """Else a service's slip would pay money back."""
    assert count_tokens({"usage": usage}) is None


@pytest.mark.parametrize(
    "written",
    [
        UNKNOWN_QUOTE,
        FREE_QUOTE,
        Quote(price=BY_TOKENS, reserved=Decimal("0.03")),
        Quote(price=Price(currency="CNY", per_image=Decimal("0.2"), estimate_per_image=Decimal(0), source="x")),
        Quote(reserved=Decimal("0.5"), assumed_currency="USD"),
    ],
)
def test_a_quote_is_read_back_as_it_was_written(written: Quote) -> None:
    assert decode_quote(encode_quote(written)) == written


@pytest.mark.parametrize("document", [7, "x", [], {"price": 3}, {"price": {}}, {"reserved": "much"}])
def test_a_damaged_quote_is_unknown_and_not_free(document: Any) -> None:
    assert decode_quote(document) == UNKNOWN_QUOTE


def test_what_is_free_costs_nothing_whatever_comes_of_it() -> None:
    assert FREE_QUOTE.settle(4, {"usage": {"output_tokens": 9}}) == NO_COST


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x =", "is not TOML"),
        ("[prices]\nx = 1", r"under \[\[price\]\]"),
        ("price = [1]", r"price 1: is no table"),
        ('[[price]]\nprovider = "mhapi"\ncurrency = "USD"', "price 1: a price needs per_job"),
        ('[[price]]\nprovider = "mhapi"\ncurrency = "dollar"\nper_job = 1', "'dollar' is no currency"),
        ('[[price]]\nprovider = "mhapi"\ncurrency = "USD"\nper_job = -1', "-1 is no amount"),
        ('[[price]]\nprovider = "mhapi"\ncurrency = "USD"\nper_job = nan', "is no amount"),
        ('[[price]]\nprovider = "mhapi"\ncurrency = "USD"\nper_job = true', "True is no amount"),
        ('[[price]]\nprovider = "mhapi"\ncurrency = "USD"\nper_pic = 1', "per_pic"),
        ('[[price]]\nprovider = "mhapi"\ncurrency = "USD"\nper_million = { out = 1 }', "and no out"),
        ('[[price]]\nprovider = "mhap"\ncurrency = "USD"\nper_job = 1', "there is no service 'mhap'"),
    ],
)
def test_a_wrong_price_is_told_in_a_sentence_that_names_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words) as refusal:
        read_price_file(path, providers={"mhapi"})
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_amounts_are_read_by_currency() -> None:
    assert parse_amounts("5 usd, 30.5 CNY") == {"USD": Decimal(5), "CNY": Decimal("30.5")}
