"""Budgets in money, whatever database is under the ledger."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import BudgetExceeded
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.ledger import Ledger, open_ledger
from atelier_mcp.server.jobs.model import Cancelled, Failed, Job, Queued, Saving, Succeeded, Unconfirmed
from atelier_mcp.server.jobs.money_budget import MoneyBudget
from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.price import Price
from atelier_mcp.server.providers.quote import FREE_QUOTE, Quote
from tests.jobs.test_ledger import NOON, build_job, open_job
from tests.support.ledger_places import execute_behind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from atelier_mcp.server.jobs.model import State
    from atelier_mcp.server.jobs.spending import CallerSpending
    from tests.support.clock import ManualClock

USD = {"USD": Decimal(1)}
BY_TOKENS = Price(currency="USD", per_million={"image_out": Decimal(10_000)}, source="2026-11")
TASK = UpstreamTask("t1", "pictures")
OUTPUTS = (OutputImage("https://x.example/1"), OutputImage("https://x.example/2"))


@pytest.fixture
async def ledger(ledger_url: str, clock: ManualClock) -> AsyncGenerator[Ledger]:
    async with open_ledger(ledger_url, clock=clock) as opened:
        yield opened


def build_priced_job(name: str, amount: str | None, *, currency: str = "USD", **more: Any) -> Job:
    """A job of so much money, or of a price that nobody knows."""
    if amount is None:
        return build_job(name, **more)
    price = Price(currency=currency, per_job=Decimal(amount), source="ATELIER_PRICES")
    return replace(build_job(name, **more), quote=Quote(price=price, reserved=Decimal(amount)))


def build_token_job(name: str, reserved: str = "0.50") -> Job:
    return replace(build_job(name, cost=2), quote=Quote(price=BY_TOKENS, reserved=Decimal(reserved)))


def limit(**limits: Any) -> Budget:
    return Budget(money=MoneyBudget(**limits))


async def read_spent(ledger: Ledger) -> CallerSpending:
    (row,) = await ledger.list_spending_by_caller("2026-11-20")
    return row


async def test_the_last_of_the_money_is_given_once_however_many_processes_ask(
    ledger_url: str, clock: ManualClock
) -> None:
    """Two that race for the last unit: one wins, whichever database it is."""
    async with AsyncExitStack() as stack:
        ledgers = [await stack.enter_async_context(open_ledger(ledger_url, clock=clock)) for _ in range(4)]
        asked = [
            open_job(ledgers[n % 4], build_priced_job(f"{n}", "0.3"), budget=limit(per_day=USD)) for n in range(24)
        ]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(outcome, Job) for outcome in outcomes) == 3
        assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 21
        assert (await read_spent(ledgers[0])).cost == {"USD": Decimal("0.9")}


async def test_what_fits_exactly_is_let_through_and_a_millionth_more_is_not(ledger: Ledger) -> None:
    await open_job(ledger, build_priced_job("1", "0.1"), budget=limit(per_day={"USD": Decimal("0.3")}))
    await open_job(ledger, build_priced_job("2", "0.2"), budget=limit(per_day={"USD": Decimal("0.3")}))
    with pytest.raises(BudgetExceeded):
        await open_job(ledger, build_priced_job("3", "0.000001"), budget=limit(per_day={"USD": Decimal("0.3")}))


async def test_a_refusal_names_the_limit_what_is_left_and_when_it_starts_afresh(ledger: Ledger) -> None:
    budget = limit(per_job=USD, per_day={"USD": Decimal("1.5")})
    await open_job(ledger, build_priced_job("1", "0.9"), budget=budget)
    with pytest.raises(BudgetExceeded) as day:
        await open_job(ledger, build_priced_job("2", "0.7"), budget=budget)
    assert str(day.value).splitlines() == [
        "This server's own limit, ATELIER_MONEY_PER_DAY, is 1.50 USD a day: 0.60 USD left, and this job costs about "
        "0.70 USD.",
        "Nothing was spent.",
        "Ask for less, or wait: it starts afresh at 2026-11-21 00:00 UTC.",
    ]
    with pytest.raises(BudgetExceeded, match=r"ATELIER_MONEY_PER_JOB, is 1\.00 USD a job; this one costs about 1\.10"):
        await open_job(ledger, build_priced_job("3", "1.1"), budget=budget)
    assert [job.id for job in await ledger.list_recent(limit=9)] == ["job_1"]


@pytest.mark.parametrize(
    ("limits", "first", "second", "setting"),
    [
        ({"per_account_day": USD}, {}, {"caller": "you"}, "ATELIER_MONEY_PER_ACCOUNT_DAY"),
        ({"per_caller_day": USD}, {}, {"account": "b:1"}, "ATELIER_MONEY_PER_PRINCIPAL_DAY"),
    ],
)
async def test_accounts_and_callers_have_limits_of_their_own(
    ledger: Ledger, limits: dict[str, Any], first: dict[str, str], second: dict[str, str], setting: str
) -> None:
    """What another account, or another caller, spent is not counted."""
    await open_job(ledger, build_priced_job("1", "0.8", **first), budget=limit(**limits))
    other = {"caller": "you"} if "per_caller_day" in limits else {"account": "b:1"}
    await open_job(ledger, build_priced_job("2", "0.8", **other), budget=limit(**limits))
    with pytest.raises(BudgetExceeded, match=setting):
        await open_job(ledger, build_priced_job("3", "0.3", **second), budget=limit(**limits))


@pytest.mark.parametrize("name", ["per_job", "per_day", "per_account_day", "per_caller_day"])
async def test_a_price_that_nobody_knows_is_refused_by_any_limit(ledger: Ledger, name: str) -> None:
    """It is never taken for nothing; the sentence names the settings that mend it."""
    with pytest.raises(BudgetExceeded) as refusal:
        await open_job(ledger, build_priced_job("1", None), budget=limit(**{name: USD}))
    what, money, remedy = str(refusal.value).splitlines()
    assert what.startswith("What generate_image costs at a:1 is not known, and ATELIER_MONEY_PER_")
    assert money == "Nothing was spent."
    assert "ATELIER_PRICES" in remedy
    assert "ATELIER_MONEY_UNKNOWN_PRICE" in remedy
    assert await ledger.list_recent(limit=9) == []


async def test_currencies_are_counted_apart_and_one_without_a_limit_may_not_be_spent(ledger: Ledger) -> None:
    budget = limit(per_day={"USD": Decimal(1), "CNY": Decimal(7)})
    await open_job(ledger, build_priced_job("1", "1"), budget=budget)
    await open_job(ledger, build_priced_job("2", "7", currency="CNY"), budget=budget)
    with pytest.raises(BudgetExceeded, match=r"1\.00 EUR: of that currency nothing may be spent"):
        await open_job(ledger, build_priced_job("3", "1", currency="EUR"), budget=budget)
    assert (await read_spent(ledger)).cost == {"USD": Decimal(1), "CNY": Decimal(7)}


async def test_what_is_free_passes_every_limit_and_is_no_spending(ledger: Ledger) -> None:
    nothing = {"USD": Decimal(0)}
    free = replace(build_job("1", cost=0), quote=FREE_QUOTE)
    await open_job(ledger, free, budget=limit(per_job=nothing, per_day=nothing))
    await open_job(ledger, build_priced_job("2", "0", cost=0), budget=limit(per_job=nothing, per_day=nothing))
    assert await ledger.list_spending_by_caller("2026-11-20") == []


async def test_a_new_day_is_a_new_budget(ledger: Ledger) -> None:
    await open_job(ledger, build_priced_job("1", "1"), budget=limit(per_day=USD))
    tomorrow = build_priced_job("2", "1", at=NOON + timedelta(hours=12))
    await open_job(ledger, tomorrow, budget=limit(per_day=USD))


async def test_the_estimate_is_replaced_by_what_the_service_says(ledger: Ledger) -> None:
    """More than was reserved, too: it is the truth."""
    job = await open_job(ledger, build_token_job("1"))
    spent = await read_spent(ledger)
    assert (spent.cost, spent.estimated) == ({"USD": Decimal("0.5")}, {"USD": Decimal("0.5")})
    data = {"usage": {"output_tokens": 70}}
    await ledger.move(job.id, Saving(TASK, OUTPUTS, data), charge=2)
    spent = await read_spent(ledger)
    assert (spent.cost, spent.estimated, spent.image_count) == ({"USD": Decimal("0.7")}, {}, 2)
    await ledger.move(job.id, Succeeded((), data))
    assert (await read_spent(ledger)).cost == {"USD": Decimal("0.7")}


@pytest.mark.parametrize("before", [Cancelled(upstream_stopped=False), Unconfirmed()], ids=["cancelled", "unconfirmed"])
async def test_a_late_answer_settles_the_cost_as_well(ledger: Ledger, before: State) -> None:
    job = await open_job(ledger, build_token_job("1"))
    await ledger.move(job.id, before)
    assert (await read_spent(ledger)).estimated == {"USD": Decimal("0.5")}
    saving = Saving(None, OUTPUTS, {"usage": {"output_tokens": 20}})
    await ledger.move(job.id, saving, charge=2, only_from=(Cancelled, Unconfirmed))
    spent = await read_spent(ledger)
    assert (spent.cost, spent.estimated) == ({"USD": Decimal("0.2")}, {})


async def test_what_was_refused_is_paid_back_and_what_may_have_been_charged_is_not(ledger: Ledger) -> None:
    refused = await open_job(ledger, build_token_job("1"))
    await ledger.move(refused.id, Failed("no", "Nothing was spent."), charge=0)
    assert await ledger.list_spending_by_caller("2026-11-20") == []
    doubtful = await open_job(ledger, build_token_job("2"))
    await ledger.move(doubtful.id, Failed("no", "It may have been charged."), charge=2)
    spent = await read_spent(ledger)
    assert (spent.cost, spent.estimated) == ({"USD": Decimal("0.5")}, {"USD": Decimal("0.5")})


async def test_a_service_that_tells_no_tokens_leaves_the_estimate_and_says_so(ledger: Ledger) -> None:
    job = await open_job(ledger, build_token_job("1"))
    await ledger.move(job.id, Saving(TASK, OUTPUTS), charge=2)
    assert (await read_spent(ledger)).estimated == {"USD": Decimal("0.5")}


async def test_a_price_of_pictures_is_that_of_the_pictures_that_came(ledger: Ledger) -> None:
    price = Price(currency="CNY", per_image=Decimal("0.2"), source="ATELIER_PRICES")
    quote = Quote(price=price, reserved=Decimal("0.8"))
    job = await open_job(ledger, replace(build_job("1", cost=4), quote=quote))
    await ledger.move(job.id, Saving(TASK, OUTPUTS), charge=2)
    spent = await read_spent(ledger)
    assert (spent.cost, spent.estimated, spent.image_count) == ({"CNY": Decimal("0.4")}, {}, 2)


async def test_jobs_without_a_price_are_counted_beside_the_money(ledger: Ledger) -> None:
    await open_job(ledger, build_priced_job("1", "0.25", cost=1))
    await open_job(ledger, build_priced_job("2", None, cost=3))
    spent = await read_spent(ledger)
    assert (spent.image_count, spent.cost, spent.unpriced_jobs) == (4, {"USD": Decimal("0.25")}, 1)


async def test_a_job_of_a_server_of_the_version_before_is_of_unknown_price(ledger: Ledger, ledger_url: str) -> None:
    """It writes on while servers are replaced one after the other, and knows nothing of the new columns."""
    await open_job(ledger, build_job("1"), budget=limit())
    columns = "id, capability, provider, account, caller, fingerprint, request, notes, cost, state, detail, finished"
    rest = "process, created_at, updated_at, deadline"
    execute_behind(
        ledger_url,
        f"INSERT INTO jobs ({columns}, {rest}) SELECT 'job_old', capability, provider, account, caller, "
        f"fingerprint, request, notes, cost, state, detail, finished, {rest} FROM jobs",
        "INSERT INTO spending (job_id, account, day, pictures, caller) "
        "VALUES ('job_old', 'a:1', '2026-11-20', 2, 'me')",
    )
    spent = await read_spent(ledger)
    assert (spent.image_count, spent.cost, spent.unpriced_jobs) == (3, {}, 2)
    (old,) = await ledger.find([build_job("old").id])
    assert (await ledger.move(old.id, Queued(TASK))).quote == Quote()
