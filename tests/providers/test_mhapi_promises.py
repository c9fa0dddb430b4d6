"""What the MHAPI provider promises whatever the service does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx2
import jwt
import pytest
from scripted import START, Script, Sent, answer, fault

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
    UpstreamFailed,
)
from atelier_mcp.server.providers.base import Done, Pending, Provider, Refused, UpstreamTask, Working
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from scripted import HandClock

    from atelier_mcp.server.providers.mhapi.provider import MhapiProvider

SECRET_KEY = "SK-hidden-everywhere"
IMGEN = "/v1/imgenstd/imgen"
REQUEST = GenerateImage.model_validate(
    {"prompt": "a very private prompt", "model": "artist_v0.5.0", "width": 960, "height": 960}
)
ACCEPTED = answer({"task_id": "t1"})
ONE, TWO = UpstreamTask("t1", "imgenstd"), UpstreamTask("t2", "imgenstd")


def state(task_id: str, word: str = "RUNNING") -> dict[str, Any]:
    return {"state": word, "state_message": "", "task_id": task_id, "images": []}


async def submit(mhapi: MhapiProvider) -> UpstreamTask | Done:
    return await mhapi.submit(REQUEST, {}, lambda share, word: None)


async def test_it_is_a_provider(mhapi: MhapiProvider) -> None:
    provider: Provider = mhapi
    assert provider.name == "mhapi"
    assert provider.account.startswith("mhapi:")
    assert "AK" not in provider.account
    assert len(provider.account) == len("mhapi:") + 8


async def test_the_token_says_who_and_until_when(mhapi: MhapiProvider, script: Script) -> None:
    script.on(IMGEN, ACCEPTED)
    await submit(mhapi)
    token = script.sent[0].headers["authorization"].removeprefix("Bearer ")
    now_s = int(START.timestamp())
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims == {"iss": "AK-visible-nowhere", "exp": now_s + 1800, "nbf": now_s - 5}
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        jwt.decode(token, SECRET_KEY, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False})


async def test_a_token_is_kept_and_renewed_five_minutes_before_its_end(
    mhapi: MhapiProvider, script: Script, clock: HandClock
) -> None:
    script.on(IMGEN, ACCEPTED)
    for pause_s in (0, 1490, 20):
        clock.pass_by(pause_s)
        await submit(mhapi)
    first, second, third = (sent.headers["authorization"] for sent in script.sent)
    assert first == second != third


@pytest.mark.parametrize("refusal", [fault(16, status=401), fault(16, status=200), answer("", 401)], ids=repr)
async def test_a_refused_token_is_renewed_once(
    mhapi: MhapiProvider, script: Script, clock: HandClock, refusal: httpx2.Response
) -> None:
    def refuse(_: Sent) -> httpx2.Response:
        clock.pass_by(1)
        return httpx2.Response(refusal.status_code, content=refusal.content)

    script.on(IMGEN, [refuse, ACCEPTED])
    assert await submit(mhapi) == ONE
    first, second = (sent.headers["authorization"] for sent in script.sent)
    assert first != second


async def test_keys_that_stay_refused_are_the_operators_to_mend(mhapi: MhapiProvider, script: Script) -> None:
    script.on(IMGEN, fault(16, "signature is invalid", status=401))
    with pytest.raises(AuthenticationFailed) as caught:
        await submit(mhapi)
    assert len(script.sent) == 2
    assert "MHAPI_ACCESS_KEY" in caught.value.then
    assert "MHAPI_SECRET_KEY" in caught.value.then
    assert 'MHAPI says: "signature is invalid"' in caught.value.what


@pytest.mark.parametrize(
    "lost",
    [
        httpx2.ReadError("broken"),
        httpx2.ReadTimeout("late"),
        httpx2.RemoteProtocolError("cut"),
        answer("<html>", 200),
        answer("", 200),
        answer("null", 200),
        answer({}, 200),
        answer({"task_id": ""}, 200),
        answer("", 502),
        *(fault(code, status=500) for code in (1, 2, 4, 13, 14, 15)),
        fault(2, status=200),
        fault(77, status=500),
    ],
    ids=repr,
)
async def test_a_submit_whose_fate_is_open_is_unconfirmed_and_not_repeated(
    mhapi: MhapiProvider, script: Script, lost: Any
) -> None:
    script.on(IMGEN, [lost, answer({"task_id": "second"})])
    with pytest.raises(SubmitUnconfirmed) as caught:
        await submit(mhapi)
    assert caught.value.spent is Spent.MAYBE
    assert len(script.sent) == 1


@pytest.mark.parametrize(
    "refusal", [httpx2.ConnectError("no"), answer("", 429), fault(8, status=429), fault(8, status=200)], ids=repr
)
async def test_a_submit_that_was_certainly_refused_is_sent_again(
    mhapi: MhapiProvider, script: Script, refusal: Any
) -> None:
    script.on(IMGEN, [refusal, ACCEPTED])
    assert await submit(mhapi) == ONE


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (fault(3), InvalidRequest),
        (fault(3, status=200), InvalidRequest),
        (fault(5, status=404), InvalidRequest),
        (fault(6, status=409), InvalidRequest),
        (fault(7, status=403), AccountRefused),
        (fault(9), ProviderUnavailable),
        (fault(10, status=409), ProviderUnavailable),
        (fault(11), InvalidRequest),
        (fault(12, status=501), InvalidRequest),
        (fault(18), ContentRefused),
        (fault(409, status=409), RateLimited),
        (fault(429, status=429), AccountRefused),
        (fault(77), UpstreamFailed),
        (answer({"message": "Forbidden"}, 403), AccountRefused),
        (answer({"code": 3, "message": "flat"}, 400), InvalidRequest),
        (answer({"error": "plain text"}, 200), ProviderUnavailable),
    ],
    ids=repr,
)
async def test_a_refused_submit_costs_nothing_and_says_who_can_mend_it(
    mhapi: MhapiProvider, script: Script, refusal: httpx2.Response, expected: type[AtelierError]
) -> None:
    script.on(IMGEN, refusal)
    with pytest.raises(expected) as caught:
        await submit(mhapi)
    assert type(caught.value) is expected
    assert caught.value.spent is Spent.NOTHING
    assert len(script.sent) == 1


async def test_an_empty_error_in_an_answer_is_success(mhapi: MhapiProvider, script: Script) -> None:
    empty: tuple[Any, ...] = (None, {}, {"code": 0, "message": "", "details": []})
    for error in empty:
        script.on(IMGEN, answer({"error": error, "task_id": "t1"}))
        assert await submit(mhapi) == ONE


async def test_news_of_many_tasks_costs_one_request(mhapi: MhapiProvider, script: Script) -> None:
    script.on("/v1/imgenstd/results", answer({"results": [state("t2"), state("t1", "PENDING")]}))
    assert mhapi.batch_size("imgenstd") == 50
    assert await mhapi.look([ONE, TWO]) == {"t1": Pending(), "t2": Working()}
    assert script.paths() == ["/v1/imgenstd/results"]


@pytest.mark.parametrize(
    "dropped", [answer({"results": []}), answer({}), fault(3), fault(5, status=404), answer("", 405)], ids=repr
)
async def test_where_the_batch_form_does_not_work_tasks_are_asked_one_by_one_from_then_on(
    mhapi: MhapiProvider, script: Script, dropped: httpx2.Response
) -> None:
    script.on("/v1/imgenstd/results", dropped)
    for task in ("t1", "t2"):
        script.on(f"/v1/imgenstd/result/{task}", answer(state(task)))
    for _ in range(2):
        assert await mhapi.look([ONE, TWO]) == {"t1": Working(), "t2": Working()}
    assert script.paths().count("/v1/imgenstd/results") == 1
    assert mhapi.batch_size("imgenstd") == 1


async def test_a_batch_that_rightly_knows_no_task_is_trusted_further(mhapi: MhapiProvider, script: Script) -> None:
    script.on("/v1/imgenstd/results", answer({"results": []}))
    for task in ("t1", "t2"):
        script.on(f"/v1/imgenstd/result/{task}", fault(5, status=404))
    news = await mhapi.look([ONE, TWO])
    assert all(isinstance(snapshot, Refused) for snapshot in news.values())
    assert mhapi.batch_size("imgenstd") == 50


async def test_a_task_the_batch_leaves_out_is_asked_about_by_itself(mhapi: MhapiProvider, script: Script) -> None:
    script.on("/v1/imgenstd/results", answer({"results": [state("t1")]}))
    script.on("/v1/imgenstd/result/t2", fault(5, "expired", status=404))
    news = await mhapi.look([ONE, TWO])
    assert news["t1"] == Working()
    assert isinstance(news["t2"], Refused)
    assert "expired" in str(news["t2"].reason)


@pytest.mark.parametrize("failed", [httpx2.ReadError("no"), answer("", 503), fault(2, status=500), fault(8)], ids=repr)
async def test_a_failed_look_says_nothing_of_the_tasks(mhapi: MhapiProvider, script: Script, failed: Any) -> None:
    script.on("/v1/imgenstd/results", failed)
    script.on("/v1/imgenstd/result/t1", failed)
    for tasks in ([ONE, TWO], [ONE]):
        with pytest.raises((ProviderUnavailable, RateLimited)):
            await mhapi.look(tasks)
    assert mhapi.batch_size("imgenstd") == 50


@pytest.mark.parametrize("refusal", [fault(16, status=401), fault(7, status=403)], ids=repr)
async def test_an_account_problem_does_not_fail_running_jobs(
    mhapi: MhapiProvider, script: Script, refusal: httpx2.Response
) -> None:
    script.on("/v1/imgenstd/result/t1", refusal)
    with pytest.raises(ProviderUnavailable):
        await mhapi.look([ONE])


async def test_one_broken_single_look_does_not_hide_the_others(mhapi: MhapiProvider, script: Script) -> None:
    script.on("/v1/face/detect/t1", answer("", 503))
    script.on("/v1/face/detect/t2", answer({"task": {"state": 0}}))
    news = await mhapi.look([UpstreamTask("t1", "face.detect"), UpstreamTask("t2", "face.detect")])
    assert news == {"t2": Working()}
    assert mhapi.batch_size("face.detect") == 1


async def test_cut_outs_are_looked_for_where_the_contract_prints_it_too(mhapi: MhapiProvider, script: Script) -> None:
    script.on("/v1/split/results", fault(12, status=501))
    script.on("/v1/sup_res/results", answer({"results": [state("t1"), state("t2")]}))
    tasks = [UpstreamTask("t1", "split"), UpstreamTask("t2", "split")]
    for _ in range(2):
        assert await mhapi.look(tasks) == {"t1": Working(), "t2": Working()}
    assert script.paths() == ["/v1/split/results", "/v1/sup_res/results", "/v1/sup_res/results"]


async def test_looks_keep_the_accounts_pace(mhapi: MhapiProvider, script: Script, clock: HandClock) -> None:
    script.on("/v1/imgenstd/result/t1", answer(state("t1")))
    for _ in range(18):
        await mhapi.look([ONE])
    assert clock.monotonic() == pytest.approx(2.0)


async def test_a_task_id_is_one_segment_of_the_path(mhapi: MhapiProvider, script: Script) -> None:
    script.on("/v1/imgenstd/result/a%2Fb%3F", answer(state("a/b?")))
    assert await mhapi.look([UpstreamTask("a/b?", "imgenstd")]) == {"a/b?": Working()}


async def test_only_trainings_can_be_cancelled(mhapi: MhapiProvider, script: Script) -> None:
    assert await mhapi.cancel(ONE) is False
    assert script.sent == []


async def test_secrets_prompts_and_signed_links_stay_inside(
    mhapi: MhapiProvider, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """Even when the service says them back."""
    caplog.set_level(logging.INFO)

    def echo(sent: Sent) -> httpx2.Response:
        said = f"{sent.headers['authorization']} {SECRET_KEY} https://b.example/i.png?Signature=abc"
        return fault(8, said)

    script.on(IMGEN, echo)
    with pytest.raises(RateLimited) as caught:
        await submit(mhapi)
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for word in (SECRET_KEY, "Signature=abc", "eyJ"):
        assert not [text for text in (str(caught.value), repr(caught.value), *logged) if word in text]
    assert not [text for text in logged if "private prompt" in text]


async def test_a_key_that_cannot_sign_is_a_setting_to_mend(clock: HandClock, script: Script) -> None:
    from atelier_mcp.server.errors import ConfigurationError
    from atelier_mcp.server.providers.mhapi.provider import MhapiProvider

    provider = MhapiProvider(
        access_key="a", secret_key='{"kty": "oct"}', base_url="https://x.example", clock=clock,
        transport=script.transport,
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="MHAPI_SECRET_KEY"):
        await submit(provider)
    await provider.close()
