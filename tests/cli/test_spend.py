"""``atelier spend``: what was spent by day, caller and service, in pictures and money."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.jobs.ledger import open_ledger
from atelier_mcp.server.providers.price import Price
from atelier_mcp.server.providers.quote import Quote
from tests.jobs.test_ledger import build_job, open_job

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.jobs.model import Job
    from tests.cli.conftest import Atelier

TODAY = datetime.now(UTC)
PRICE = Price(currency="USD", per_job=Decimal("0.3"), source="ATELIER_PRICES")


def write_jobs(home: Path, *jobs: Job) -> None:
    async def write() -> None:
        async with open_ledger(home / "ledger.sqlite3", clock=SystemClock()) as ledger:
            for job in jobs:
                await open_job(ledger, job)

    home.mkdir(exist_ok=True)
    asyncio.run(write())


def test_spending_is_told_by_day_caller_and_service(atelier: Atelier, tmp_path: Path) -> None:
    """A ledger that is not there is not made by a question."""
    assert atelier("spend").out == "Nothing was spent.\n"
    priced = replace(build_job("1", cost=2, at=TODAY), quote=Quote(price=PRICE, reserved=Decimal("0.3")))
    write_jobs(tmp_path / "home", priced, build_job("2", caller="static:alice", account="mhapi:1", at=TODAY))
    today = TODAY.date().isoformat()
    document = atelier("spend", "--days", "1", "--json").read_json()
    mine, others = document["days"]
    assert (mine["day"], mine["principal"], mine["provider"], mine["pictures"]) == (today, "me", "a", 2)
    assert (mine["cost"], mine["estimated"], mine["unpriced_jobs"]) == ({"USD": "0.30"}, {}, 0)
    assert (others["principal"], others["provider"], others["cost"], others["unpriced_jobs"]) == (
        "static:alice",
        "mhapi",
        {},
        1,
    )
    assert (document["cost"], document["unpriced_jobs"]) == ({"USD": "0.30"}, 1)
    lines = [line.split() for line in atelier("spend").out.splitlines()]
    assert lines == [
        [today, "me", "a:1", "2", "0.30", "USD"],
        [today, "static:alice", "mhapi:1", "1", "1", "job", "of", "unknown", "price"],
        ["in", "all", "3", "0.30", "USD", "and", "1", "job", "of", "unknown", "price"],
    ]
    assert atelier("spend", "--principal", "static:bob").out == "Nothing was spent.\n"


def test_an_estimate_is_said_to_be_one(atelier: Atelier, tmp_path: Path) -> None:
    quote = Quote(reserved=Decimal("0.25"), assumed_currency="CNY")
    write_jobs(tmp_path / "home", replace(build_job("1", at=TODAY), quote=quote))
    assert "about 0.25 CNY" in atelier("spend").out
    assert atelier("spend", "--json").read_json()["estimated"] == {"CNY": "0.25"}


def test_what_the_stand_in_made_is_no_spending(atelier: Atelier) -> None:
    atelier("call", "generate_image", "prompt=a red kite", "width=640", "height=640", ATELIER_MONEY_PER_DAY="0 USD")
    assert atelier("jobs").out
    assert atelier("spend").out == "Nothing was spent.\n"


def test_a_number_of_days_is_a_number(atelier: Atelier) -> None:
    outcome = atelier("spend", "--days", "all")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
