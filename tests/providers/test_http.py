"""What an account's connection repeats, what it never repeats, and what it lets out."""

from __future__ import annotations

import logging
from random import Random
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import stamina
from scripted import Script, answer

from atelier_mcp.server.errors import ConfigurationError, ProviderUnavailable, RateLimited, SubmitUnconfirmed
from atelier_mcp.server.providers.http import Account, Call
from atelier_mcp.server.providers.limits import TokenBucket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from scripted import HandClock
    from stamina.instrumentation import RetryDetails

READ = Call("GET", "/x")
SUBMIT = Call("POST", "/x", submit=True, body={"prompt": "a very private prompt"})


@pytest.fixture
async def account(clock: HandClock, script: Script) -> AsyncGenerator[Account]:
    account = Account(
        service="Test",
        base_url="https://service.example/",
        clock=clock,
        pace=TokenBucket(per_s=100, clock=clock),
        secrets=("hunter2",),
        transport=script.transport,
    )
    yield account
    await account.close()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_read_is_repeated_while_the_service_is_busy(account: Account, script: Script, status: int) -> None:
    script.on("/x", [answer("", status), answer("", status), answer({"ok": 1})])
    assert (await account.request(READ)).json() == {"ok": 1}


@pytest.mark.parametrize("broken", [httpx2.ConnectError("no"), httpx2.ReadError("no"), httpx2.ReadTimeout("no")])
async def test_a_read_is_repeated_after_a_broken_connection(account: Account, script: Script, broken: Any) -> None:
    script.on("/x", [broken, answer({"ok": 1})])
    assert (await account.request(READ)).json() == {"ok": 1}


async def test_a_read_is_given_up_after_three_attempts(account: Account, script: Script) -> None:
    script.on("/x", answer("", 503))
    with pytest.raises(ProviderUnavailable):
        await account.request(READ)
    assert len(script.sent) == 3


@pytest.mark.parametrize(
    "broken",
    [
        httpx2.ReadError("no"),
        httpx2.WriteError("no"),
        httpx2.ReadTimeout("no"),
        httpx2.RemoteProtocolError("no"),
        answer("", 500),
        answer("", 502),
        answer("", 503),
        answer("", 504),
    ],
    ids=repr,
)
async def test_a_submit_that_may_have_arrived_is_never_sent_again(
    account: Account, script: Script, broken: Any
) -> None:
    script.on("/x", [broken, answer({"task_id": "second"})])
    with pytest.raises(SubmitUnconfirmed):
        await account.request(SUBMIT)
    assert len(script.sent) == 1


@pytest.mark.parametrize("refused", [httpx2.ConnectError("no"), httpx2.ConnectTimeout("no"), answer("", 429)], ids=repr)
async def test_a_submit_that_certainly_did_not_arrive_is_sent_again(
    account: Account, script: Script, refused: Any
) -> None:
    script.on("/x", [refused, answer({"task_id": "first"})])
    assert (await account.request(SUBMIT)).json() == {"task_id": "first"}


async def test_a_submit_that_never_arrived_is_not_unconfirmed(account: Account, script: Script) -> None:
    script.on("/x", httpx2.ConnectError("no"))
    with pytest.raises(ProviderUnavailable, match="No connection to Test"):
        await account.request(SUBMIT)


async def test_a_service_that_wants_a_long_pause_is_left_to_the_caller(account: Account, script: Script) -> None:
    script.on("/x", answer("", 429, {"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as caught:
        await account.request(READ)
    assert caught.value.retry_after_s == 3600
    assert len(script.sent) == 1


async def test_a_pause_may_be_given_as_a_date(account: Account, script: Script) -> None:
    script.on("/x", answer("", 429, {"Retry-After": "Fri, 20 Nov 2026 12:02:00 GMT"}))
    with pytest.raises(RateLimited) as caught:
        await account.request(READ)
    assert caught.value.retry_after_s == 120


async def test_a_short_pause_the_service_asks_for_is_kept(script: Script, clock: HandClock) -> None:
    """And a little more at random, so that many clients do not come back together."""
    account = Account(
        service="Test",
        base_url="https://service.example",
        clock=clock,
        pace=TokenBucket(per_s=100, clock=clock),
        transport=script.transport,
        rng=Random(1),
    )
    script.on("/x", answer("", 503, {"Retry-After": "7"}))

    def stop(details: RetryDetails) -> None:
        raise _WouldWait(details.wait_for)

    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([stop])
    try:
        with stamina.set_testing(False), pytest.raises(_WouldWait) as caught:
            await account.request(READ)
    finally:
        stamina.instrumentation.set_on_retry_hooks(hooks)
        await account.close()
    assert 7 < caught.value.args[0] <= 7.5


class _WouldWait(Exception):
    """Raised in place of a real pause."""


async def test_a_redirect_is_a_setting_to_mend(account: Account, script: Script) -> None:
    script.on("/x", httpx2.Response(301, headers={"Location": "https://elsewhere.example/x"}))
    with pytest.raises(ConfigurationError, match="base address"):
        await account.request(READ)
    assert len(script.sent) == 1


def test_an_address_without_a_scheme_is_a_setting_to_mend(clock: HandClock) -> None:
    with pytest.raises(ConfigurationError, match="https://"):
        Account(service="Test", base_url="service.example", clock=clock, pace=TokenBucket(per_s=1, clock=clock))


async def test_requests_keep_the_pace(clock: HandClock, script: Script) -> None:
    """Two at once, then two a second."""
    pace = TokenBucket(per_s=2, clock=clock)
    account = Account(service="Test", base_url="https://x.example", clock=clock, pace=pace, transport=script.transport)
    script.on("/x", answer({}))
    for _ in range(6):
        await account.request(READ)
    await account.close()
    assert clock.monotonic() == pytest.approx(2.0)


async def test_a_rested_account_has_only_its_burst_saved_up(clock: HandClock) -> None:
    pace = TokenBucket(per_s=2, clock=clock)
    clock.pass_by(3600)
    for _ in range(2):
        await pace.take()
    assert clock.slept == []
    await pace.take()
    assert clock.slept == [pytest.approx(0.5)]


async def test_what_the_service_says_is_marked_cut_and_stripped(account: Account) -> None:
    said = (
        "bad\x1b[31m\n key hunter2 and eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl "
        'at "https://bucket.example/a.png?X-Signature=abc&y=1" ' + "x" * 300
    )
    quoted = account.quote(said)
    assert quoted.startswith("Test says: \"bad[31m key [secret] and [token] at 'https://bucket.example/a.png?...'")
    assert len(quoted) <= 200 + len('Test says: ""')


async def test_prompts_links_and_keys_stay_out_of_errors_and_logs(
    account: Account, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    signed = Call("GET", "https://bucket.example/a?Signature=abc", headers={"Authorization": "Bearer hunter2"})
    script.on("/a", [httpx2.ReadError("read https://bucket.example/a?Signature=abc"), answer("", 503)])
    script.on("/x", httpx2.ReadError("private prompt"))
    texts: list[str] = []
    for call in (signed, SUBMIT):
        with pytest.raises((ProviderUnavailable, SubmitUnconfirmed)) as caught:
            await account.request(call)
        texts.append(f"{caught.value!s} {caught.value!r}")
    texts += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for word in ("Signature=abc", "hunter2", "private prompt"):
        assert not [text for text in texts if word in text]


async def test_an_answer_without_end_is_cut_off(account: Account, script: Script, monkeypatch: Any) -> None:
    monkeypatch.setattr("atelier_mcp.server.providers.http.MAX_ANSWER_BYTES", 1000)
    script.on("/x", answer("x" * 2000))
    with pytest.raises(ProviderUnavailable, match="unreadable"):
        await account.request(READ)


async def test_a_stream_is_handed_over_as_it_comes(account: Account, script: Script) -> None:
    script.on("/x", answer("one\n\ntwo\n"))
    async with account.stream(SUBMIT) as response:
        assert [line async for line in response.aiter_lines()] == ["one", "", "two"]
