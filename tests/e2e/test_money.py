"""Money, as a client sees it: limits, what a picture cost, and what was spent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from atelier_mcp.server.settings import load_settings
from tests.support.tool_results import get_refusal, get_structured, get_text, list_submits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import NewClient
    from tests.support.emulator_harness import EmulatorHarness

    Environ = dict[str, str]

PRICE = '[[price]]\nprovider = "mhapi"\ncurrency = "CNY"\nper_image = 0.2\n'


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.toml"
    path.write_text(PRICE)
    return str(path)


@pytest.fixture
def openai_environ(site: EmulatorHarness, tmp_path: Path) -> Environ:
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "OPENAI_API_KEY": DEMO_API_KEY,
        "OPENAI_BASE_URL": f"{site.emulator.base_url}/openai/v1",
        "OPENAI_SERVER": "openai",
    }


async def read_spend(client: Client) -> dict[str, Any]:
    resource = await client.read_resource("atelier://spend")
    return json.loads(getattr(resource.contents[0], "text", ""))


async def test_a_limit_in_money_holds_before_anything_is_sent(
    new_client: NewClient, prices: str, tmp_path: Path
) -> None:
    """Whose limit, where it is set, what is left."""
    async with new_client(ATELIER_PRICES=prices, ATELIER_MONEY_PER_DAY="0.5 CNY") as client:
        made = await client.call_tool("generate_image", {"prompt": "a kite", "samples": 2})
        assert "It cost about 0.4 CNY, by the prices of ATELIER_PRICES." in get_text(made)
        refusal = get_refusal(await client.call_tool("generate_image", {"prompt": "a red kite"}))
        spend = await read_spend(client)
    assert "ATELIER_MONEY_PER_DAY, is 0.50 CNY a day: 0.10 CNY left, and this job costs about 0.20 CNY." in refusal
    assert "Nothing was spent." in refusal
    assert len(list_submits(tmp_path / "access.jsonl")) == 1
    (row,) = spend["days"]
    assert (row["provider"], row["pictures"], row["cost"], row["estimated"]) == ("mhapi", 2, {"CNY": "0.40"}, {})
    assert spend["money_per_day"] == {"CNY": "0.50"}


async def test_what_a_service_counts_is_what_was_spent(openai_environ: Environ) -> None:
    """The estimate was higher: it is reserved before, and replaced by the tokens of the answer."""
    async with Client(create_server(load_settings({**openai_environ, "ATELIER_MONEY_PER_JOB": "0.1 USD"}))) as client:
        made = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite"}))
        (row,) = (await read_spend(client))["days"]
        refusal = get_refusal(await client.call_tool("generate_image", {"prompt": "a kite", "samples": 4}))
    cost = made["data"]["cost"]
    assert row["cost"] == {"USD": cost["amount"]}
    assert row["estimated"] == {}
    assert 0 < float(cost["amount"]) < 0.05
    assert "ATELIER_MONEY_PER_JOB, is 0.10 USD a job; this one costs about 0.21" in refusal


async def test_a_price_that_nobody_knows_is_refused_where_money_is_limited(
    new_client: NewClient, tmp_path: Path
) -> None:
    async with new_client(ATELIER_MONEY_PER_DAY="5 USD") as client:
        refusal = get_refusal(await client.call_tool("generate_image", {"prompt": "a kite"}))
    assert "is not known" in refusal
    assert "ATELIER_PRICES" in refusal
    assert list_submits(tmp_path / "access.jsonl") == []
    counted = {"ATELIER_MONEY_PER_DAY": "5 USD", "ATELIER_MONEY_UNKNOWN_PRICE": "0.1 USD"}
    async with new_client(**counted) as client:
        get_structured(await client.call_tool("generate_image", {"prompt": "a kite"}))
        (row,) = (await read_spend(client))["days"]
    assert (row["cost"], row["estimated"], row["unpriced_jobs"]) == ({"USD": "0.10"}, {"USD": "0.10"}, 0)


async def test_the_stand_in_is_free_and_counts_against_nothing(tmp_path: Path) -> None:
    """Whoever tries it out spends nothing of a limit, and is asked nothing."""
    limits = {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_BUDGET_PER_DAY": "1",
        "ATELIER_MONEY_PER_DAY": "0 USD",
        "ATELIER_CONFIRM_ABOVE_PICTURES": "0",
        "ATELIER_CONFIRM_ABOVE_MONEY": "0 USD",
    }
    async with Client(create_server(load_settings(limits))) as client:
        for prompt in ("a kite", "a red kite"):
            get_structured(await client.call_tool("generate_image", {"prompt": prompt, "width": 640, "height": 640}))
        assert (await read_spend(client))["days"] == []
