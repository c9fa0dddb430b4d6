"""A person's consent is good for one job, whichever server it is presented to."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.jobs.consent import Consent, ConsentNeeded, ConsentRule, parse_consent
from tests.jobs.doubles import JobsHarness, ScriptedProvider, build_request, open_harness

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.clock import ManualClock

ASKED = Consent("job_1", "me", "f", image_count=4, cost_micros=400_000, currency="USD")
REQUEST = build_request("a kite", samples=4)


@pytest.mark.parametrize(
    ("change", "is_covered"),
    [
        ({}, True),
        ({"job_id": "job_2"}, True),
        ({"image_count": 3, "cost_micros": 300_000}, True),
        ({"image_count": 5}, False),
        ({"cost_micros": 400_001}, False),
        ({"cost_micros": None}, False),
        ({"currency": "EUR"}, False),
        ({"caller": "you"}, False),
        ({"fingerprint": "g"}, False),
    ],
)
def test_a_consent_covers_the_same_for_as_much_or_less(change: dict[str, Any], is_covered: bool) -> None:
    """A price that rose meanwhile, or became unknown, is asked about again."""
    assert ASKED.covers(replace(ASKED, **change)) is is_covered


@pytest.mark.parametrize("text", ["", "x", "[]", "7", '{"job_id": "job_1"}', '{"more": 1}'])
def test_what_is_no_consent_is_none(text: str) -> None:
    assert parse_consent(text) is None
    assert parse_consent(ASKED.to_text()) == ASKED


async def ask(harness: JobsHarness) -> Consent:
    with pytest.raises(ConsentNeeded) as needed:
        await harness.submitter.start(REQUEST, caller="me")
    return needed.value.consent


async def test_servers_that_are_given_the_same_consent_at_once_send_one_job(
    tmp_path: Path, ledger_url: str, clock: ManualClock
) -> None:
    """And none that comes later, when the job is finished, sends another."""
    providers = [ScriptedProvider(clock) for _ in range(4)]
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                open_harness(
                    tmp_path, one, clock, seed=n, ledger_url=ledger_url, consent_rule=ConsentRule(image_limit=2)
                )
            )
            for n, one in enumerate(providers)
        ]
        clock.ledgers += [server.ledger for server in servers]
        consent = await ask(servers[0])
        assert await servers[0].ledger.list_recent(limit=9) == []
        started = await asyncio.gather(
            *(server.submitter.start(REQUEST, caller="me", consent=consent) for server in servers)
        )
        assert {one.job.id for one in started} == {consent.job_id}
        assert sorted(one.joined for one in started) == [False, True, True, True]
        await servers[0].jobs.cancel(started[0].job.id)
        again = await servers[1].submitter.start(REQUEST, caller="me", consent=consent)
        assert (again.job.id, again.joined) == (consent.job_id, True)
    assert sum(len(provider.submits) for provider in providers) == 1


async def test_anothers_consent_opens_nothing(tmp_path: Path, clock: ManualClock) -> None:
    provider = ScriptedProvider(clock)
    async with open_harness(tmp_path, provider, clock, consent_rule=ConsentRule(image_limit=2)) as server:
        clock.ledgers.append(server.ledger)
        consent = await ask(server)
        with pytest.raises(ConsentNeeded):
            await server.submitter.start(REQUEST, caller="you", consent=consent)
        with pytest.raises(ConsentNeeded):
            await server.submitter.start(build_request("a kite", samples=5), caller="me", consent=consent)
    assert provider.submits == []
