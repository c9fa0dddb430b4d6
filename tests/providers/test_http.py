"""What an account's connection repeats, what it never repeats, and what it lets out."""

from __future__ import annotations

import logging
from random import Random
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import stamina

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    ConfigurationError,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
)
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.rate_limit import TokenBucket
from tests.support.upstream_script import UpstreamScript, build_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from stamina.instrumentation import RetryDetails

    from tests.support.clock import AutoAdvanceClock

READ = HttpRequest("GET", "/x")
SUBMIT = HttpRequest("POST", "/x", is_submit=True, body={"prompt": "a very private prompt"})


@pytest.fixture
async def client(clock: AutoAdvanceClock, script: UpstreamScript) -> AsyncGenerator[UpstreamClient]:
    client = UpstreamClient(
        service="Test",
        base_url="https://service.example/",
        clock=clock,
        requests_per_s=100,
        secrets=("hunter2",),
        transport=script.transport,
    )
    yield client
    await client.close()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_read_is_repeated_while_the_service_is_busy(
    client: UpstreamClient, script: UpstreamScript, status: int
) -> None:
    script.set_steps("/x", [build_response("", status), build_response("", status), build_response({"ok": 1})])
    assert (await client.request(READ)).json() == {"ok": 1}


@pytest.mark.parametrize("broken", [httpx2.ConnectError("no"), httpx2.ReadError("no"), httpx2.ReadTimeout("no")])
async def test_a_read_is_repeated_after_a_broken_connection(
    client: UpstreamClient, script: UpstreamScript, broken: Any
) -> None:
    script.set_steps("/x", [broken, build_response({"ok": 1})])
    assert (await client.request(READ)).json() == {"ok": 1}


async def test_a_read_is_given_up_after_three_attempts(client: UpstreamClient, script: UpstreamScript) -> None:
    script.set_steps("/x", build_response("", 503))
    with pytest.raises(ProviderUnavailable):
        await client.request(READ)
    assert len(script.requests) == 3


@pytest.mark.parametrize(
    "broken",
    [
        httpx2.ReadError("no"),
        httpx2.WriteError("no"),
        httpx2.ReadTimeout("no"),
        httpx2.RemoteProtocolError("no"),
        build_response("", 500),
        build_response("", 502),
        build_response("", 503),
        build_response("", 504),
    ],
    ids=repr,
)
async def test_a_submit_that_may_have_arrived_is_never_sent_again(
    client: UpstreamClient, script: UpstreamScript, broken: Any
) -> None:
    script.set_steps("/x", [broken, build_response({"task_id": "second"})])
    with pytest.raises(SubmitUnconfirmed):
        await client.request(SUBMIT)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "refused", [httpx2.ConnectError("no"), httpx2.ConnectTimeout("no"), build_response("", 429)], ids=repr
)
async def test_a_submit_that_certainly_did_not_arrive_is_sent_again(
    client: UpstreamClient, script: UpstreamScript, refused: Any
) -> None:
    script.set_steps("/x", [refused, build_response({"task_id": "first"})])
    assert (await client.request(SUBMIT)).json() == {"task_id": "first"}


async def test_a_submit_that_never_arrived_is_not_unconfirmed(client: UpstreamClient, script: UpstreamScript) -> None:
    script.set_steps("/x", httpx2.ConnectError("no"))
    with pytest.raises(ProviderUnavailable, match="No connection to Test"):
        await client.request(SUBMIT)


async def test_a_service_that_wants_a_long_pause_is_left_to_the_caller(
    client: UpstreamClient, script: UpstreamScript
) -> None:
    script.set_steps("/x", build_response("", 429, {"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as caught:
        await client.request(READ)
    assert caught.value.retry_after_s == 300, "and no header may keep an account waiting for longer"
    assert len(script.requests) == 1


async def test_a_pause_may_be_given_as_a_date(client: UpstreamClient, script: UpstreamScript) -> None:
    script.set_steps("/x", build_response("", 429, {"Retry-After": "Fri, 20 Nov 2026 12:02:00 GMT"}))
    with pytest.raises(RateLimited) as caught:
        await client.request(READ)
    assert caught.value.retry_after_s == 120


async def test_a_short_pause_the_service_asks_for_is_kept(script: UpstreamScript, clock: AutoAdvanceClock) -> None:
    """And a little more at random, so that many clients do not come back together."""
    client = UpstreamClient(
        service="Test",
        base_url="https://service.example",
        clock=clock,
        requests_per_s=100,
        transport=script.transport,
        rng=Random(1),
    )
    script.set_steps("/x", build_response("", 503, {"Retry-After": "7"}))

    def stop(details: RetryDetails) -> None:
        raise _WouldWait(details.wait_for)

    hooks = stamina.instrumentation.get_on_retry_hooks()
    stamina.instrumentation.set_on_retry_hooks([stop])
    try:
        with stamina.set_testing(False), pytest.raises(_WouldWait) as caught:
            await client.request(READ)
    finally:
        stamina.instrumentation.set_on_retry_hooks(hooks)
        await client.close()
    assert 7 < caught.value.args[0] <= 7.5


class _WouldWait(Exception):
    """Raised in place of a real pause."""


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, InvalidRequest),
        (401, AuthenticationFailed),
        (402, AccountRefused),
        (403, AccountRefused),
        (404, InvalidRequest),
        (413, InvalidRequest),
        (422, InvalidRequest),
        (451, InvalidRequest),
    ],
)
async def test_a_refusal_by_status_alone_is_no_success_and_costs_nothing(
    client: UpstreamClient, script: UpstreamScript, status: int, expected: type[AtelierError]
) -> None:
    """For a service whose errors have no format of their own; it is sent once, and its words are quoted."""
    script.set_steps("/x", build_response("no such thing, hunter2", status))
    with pytest.raises(expected, match=r'Test says: "no such thing, \[secret\]"') as caught:
        await client.request(SUBMIT)
    assert caught.value.spent is Spent.NOTHING
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 500, 502, 504])
async def test_a_status_that_leaves_open_what_became_of_a_submit_leaves_it_unconfirmed(
    client: UpstreamClient, script: UpstreamScript, status: int
) -> None:
    script.set_steps("/x", build_response("", status))
    with pytest.raises(SubmitUnconfirmed):
        await client.request(SUBMIT)
    assert len(script.requests) == 1
    with pytest.raises(ProviderUnavailable):
        await client.request(READ)


async def test_a_web_page_is_not_quoted(client: UpstreamClient, script: UpstreamScript) -> None:
    script.set_steps("/x", build_response("<html>nginx</html>", 404))
    with pytest.raises(InvalidRequest, match="Test gave no reason"):
        await client.request(READ)


async def test_a_redirect_is_a_setting_to_mend(client: UpstreamClient, script: UpstreamScript) -> None:
    script.set_steps("/x", httpx2.Response(301, headers={"Location": "https://elsewhere.example/x"}))
    with pytest.raises(ConfigurationError, match="base address"):
        await client.request(READ)
    assert len(script.requests) == 1


def test_an_address_without_a_scheme_is_a_setting_to_mend(clock: AutoAdvanceClock) -> None:
    with pytest.raises(ConfigurationError, match="https://"):
        UpstreamClient(service="Test", base_url="service.example", clock=clock)


async def test_requests_keep_the_pace(clock: AutoAdvanceClock, script: UpstreamScript) -> None:
    """Two at once, then two a second."""
    client = UpstreamClient(
        service="Test", base_url="https://x.example", clock=clock, requests_per_s=2, transport=script.transport
    )
    script.set_steps("/x", build_response({}))
    for _ in range(6):
        await client.request(READ)
    await client.close()
    assert clock.monotonic() == pytest.approx(2.0)


async def test_a_rested_account_has_only_its_burst_saved_up(clock: AutoAdvanceClock) -> None:
    rate_limit = TokenBucket(per_s=2, clock=clock)
    clock.advance(3600)
    for _ in range(2):
        await rate_limit.acquire()
    assert clock.sleeps_s == []
    await rate_limit.acquire()
    assert clock.sleeps_s == [pytest.approx(0.5)]


async def test_what_the_service_says_is_marked_cut_and_stripped(client: UpstreamClient) -> None:
    said = (
        "bad\x1b[31m\n key hunter2 and eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl "
        'at "https://bucket.example/a.png?X-Signature=abc&y=1" ' + "x" * 300
    )
    quoted = client.quote(said)
    assert quoted.startswith("Test says: \"bad[31m key [secret] and [token] at 'https://bucket.example/a.png?...'")
    assert len(quoted) <= 200 + len('Test says: ""')


async def test_prompts_links_and_keys_stay_out_of_errors_and_logs(
    client: UpstreamClient, script: UpstreamScript, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    signed = HttpRequest("GET", "https://bucket.example/a?Signature=abc", headers={"Authorization": "Bearer hunter2"})
    script.set_steps("/a", [httpx2.ReadError("read https://bucket.example/a?Signature=abc"), build_response("", 503)])
    script.set_steps("/x", httpx2.ReadError("private prompt"))
    texts: list[str] = []
    for http_request in (signed, SUBMIT):
        with pytest.raises((ProviderUnavailable, SubmitUnconfirmed)) as caught:
            await client.request(http_request)
        texts.append(f"{caught.value!s} {caught.value!r}")
    texts += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for word in ("Signature=abc", "hunter2", "private prompt"):
        assert not [text for text in texts if word in text]


async def test_an_answer_without_end_is_cut_off(
    client: UpstreamClient, script: UpstreamScript, monkeypatch: Any
) -> None:
    monkeypatch.setattr("atelier_mcp.server.providers.http.MAX_RESPONSE_BYTES", 1000)
    script.set_steps("/x", build_response("x" * 2000))
    with pytest.raises(ProviderUnavailable, match="unreadable"):
        await client.request(READ)


async def test_a_stream_is_handed_over_as_it_comes(client: UpstreamClient, script: UpstreamScript) -> None:
    script.set_steps("/x", build_response("one\n\ntwo\n"))
    async with client.stream(SUBMIT) as response:
        assert [line async for line in response.aiter_lines()] == ["one", "", "two"]
