"""What the MHAPI provider promises whatever the service does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx2
import jwt
import pytest

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
from atelier_mcp.server.providers.base import (
    SubmitAnswer,
    TaskLost,
    TaskPending,
    TaskRunning,
    UpstreamTask,
)
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.testing import provider_calls
from tests.support.clock import START
from tests.support.upstream_script import SentRequest, UpstreamScript, build_mhapi_error, build_response

if TYPE_CHECKING:
    from atelier_mcp.server.providers.mhapi.provider import MhapiProvider
    from atelier_mcp.server.providers.provider import Provider
    from tests.support.clock import AutoAdvanceClock

SECRET_KEY = "SK-hidden-everywhere"
IMGEN = "/v1/imgenstd/imgen"
REQUEST = GenerateImage.model_validate(
    {"prompt": "a very private prompt", "model": "artist_v0.5.0", "width": 960, "height": 960}
)
ACCEPTED = build_response({"task_id": "t1"})
ONE, TWO = UpstreamTask("t1", "imgenstd"), UpstreamTask("t2", "imgenstd")


def build_state(task_id: str, word: str = "RUNNING") -> dict[str, Any]:
    return {"state": word, "state_message": "", "task_id": task_id, "images": []}


async def submit(mhapi: MhapiProvider) -> SubmitAnswer:
    return await provider_calls.submit(mhapi, REQUEST)


async def test_it_is_a_provider(mhapi: MhapiProvider) -> None:
    provider: Provider = mhapi
    assert provider.name == "mhapi"
    assert provider.account.startswith("mhapi:")
    assert "AK" not in provider.account
    assert len(provider.account) == len("mhapi:") + 8


async def test_the_token_says_who_and_until_when(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    script.set_steps(IMGEN, ACCEPTED)
    await submit(mhapi)
    token = script.requests[0].headers["authorization"].removeprefix("Bearer ")
    now_s = int(START.timestamp())
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims == {"iss": "AK-visible-nowhere", "exp": now_s + 1800, "nbf": now_s - 5}
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        jwt.decode(token, SECRET_KEY, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False})


async def test_a_token_is_kept_and_renewed_five_minutes_before_its_end(
    mhapi: MhapiProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    script.set_steps(IMGEN, ACCEPTED)
    for pause_s in (0, 1490, 20):
        clock.advance(pause_s)
        await submit(mhapi)
    first, second, third = (sent.headers["authorization"] for sent in script.requests)
    assert first == second != third


@pytest.mark.parametrize(
    "refusal", [build_mhapi_error(16, status=401), build_mhapi_error(16, status=200), build_response("", 401)], ids=repr
)
async def test_a_refused_token_is_renewed_once(
    mhapi: MhapiProvider, script: UpstreamScript, clock: AutoAdvanceClock, refusal: httpx2.Response
) -> None:
    def refuse(_: SentRequest) -> httpx2.Response:
        clock.advance(1)
        return httpx2.Response(refusal.status_code, content=refusal.content)

    script.set_steps(IMGEN, [refuse, ACCEPTED])
    assert await submit(mhapi) == ONE
    first, second = (sent.headers["authorization"] for sent in script.requests)
    assert first != second


async def test_keys_that_stay_refused_are_the_operators_to_mend(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    script.set_steps(IMGEN, build_mhapi_error(16, "signature is invalid", status=401))
    with pytest.raises(AuthenticationFailed) as caught:
        await submit(mhapi)
    assert len(script.requests) == 2
    assert "MHAPI_ACCESS_KEY" in caught.value.hint
    assert "MHAPI_SECRET_KEY" in caught.value.hint
    assert 'MHAPI says: "signature is invalid"' in caught.value.message


@pytest.mark.parametrize(
    "lost",
    [
        httpx2.ReadError("broken"),
        httpx2.ReadTimeout("late"),
        httpx2.RemoteProtocolError("cut"),
        build_response("<html>", 200),
        build_response("", 200),
        build_response("null", 200),
        build_response({}, 200),
        build_response({"task_id": ""}, 200),
        build_response("", 502),
        *(build_mhapi_error(code, status=500) for code in (1, 2, 4, 13, 14, 15)),
        build_mhapi_error(2, status=200),
        build_mhapi_error(77, status=500),
    ],
    ids=repr,
)
async def test_a_submit_whose_fate_is_open_is_unconfirmed_and_not_repeated(
    mhapi: MhapiProvider, script: UpstreamScript, lost: Any
) -> None:
    script.set_steps(IMGEN, [lost, build_response({"task_id": "second"})])
    with pytest.raises(SubmitUnconfirmed) as caught:
        await submit(mhapi)
    assert caught.value.spent is Spent.MAYBE
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        httpx2.ConnectError("no"),
        build_response("", 429),
        build_mhapi_error(8, status=429),
        build_mhapi_error(8, status=200),
    ],
    ids=repr,
)
async def test_a_submit_that_was_certainly_refused_is_sent_again(
    mhapi: MhapiProvider, script: UpstreamScript, refusal: Any
) -> None:
    script.set_steps(IMGEN, [refusal, ACCEPTED])
    assert await submit(mhapi) == ONE


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (build_mhapi_error(3), InvalidRequest),
        (build_mhapi_error(3, status=200), InvalidRequest),
        (build_mhapi_error(5, status=404), InvalidRequest),
        (build_mhapi_error(6, status=409), InvalidRequest),
        (build_mhapi_error(7, status=403), AccountRefused),
        (build_mhapi_error(9), ProviderUnavailable),
        (build_mhapi_error(10, status=409), ProviderUnavailable),
        (build_mhapi_error(11), InvalidRequest),
        (build_mhapi_error(12, status=501), InvalidRequest),
        (build_mhapi_error(18), ContentRefused),
        (build_mhapi_error(409, status=409), RateLimited),
        (build_mhapi_error(429, status=429), AccountRefused),
        (build_mhapi_error(77), UpstreamFailed),
        (build_response({"message": "Forbidden"}, 403), AccountRefused),
        (build_response({"code": 3, "message": "flat"}, 400), InvalidRequest),
        (build_response({"error": "plain text"}, 200), ProviderUnavailable),
    ],
    ids=repr,
)
async def test_a_refused_submit_costs_nothing_and_says_who_can_mend_it(
    mhapi: MhapiProvider, script: UpstreamScript, refusal: httpx2.Response, expected: type[AtelierError]
) -> None:
    script.set_steps(IMGEN, refusal)
    with pytest.raises(expected) as caught:
        await submit(mhapi)
    assert type(caught.value) is expected
    assert caught.value.spent is Spent.NOTHING
    assert len(script.requests) == 1


async def test_an_empty_error_in_an_answer_is_success(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    empty: tuple[Any, ...] = (None, {}, {"code": 0, "message": "", "details": []})
    for error in empty:
        script.set_steps(IMGEN, build_response({"error": error, "task_id": "t1"}))
        assert await submit(mhapi) == ONE


async def test_news_of_many_tasks_costs_one_request(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    script.set_steps(
        "/v1/imgenstd/results", build_response({"results": [build_state("t2"), build_state("t1", "PENDING")]})
    )
    assert mhapi.batch_size("imgenstd") == 50
    assert await mhapi.poll([ONE, TWO]) == {"t1": TaskPending(), "t2": TaskRunning()}
    assert script.list_paths() == ["/v1/imgenstd/results"]


@pytest.mark.parametrize(
    "dropped",
    [
        build_response({"results": []}),
        build_response({}),
        build_mhapi_error(3),
        build_mhapi_error(5, status=404),
        build_response("", 405),
    ],
    ids=repr,
)
async def test_where_the_batch_form_does_not_work_tasks_are_asked_one_by_one_from_then_on(
    mhapi: MhapiProvider, script: UpstreamScript, dropped: httpx2.Response
) -> None:
    script.set_steps("/v1/imgenstd/results", dropped)
    for task in ("t1", "t2"):
        script.set_steps(f"/v1/imgenstd/result/{task}", build_response(build_state(task)))
    for _ in range(2):
        assert await mhapi.poll([ONE, TWO]) == {"t1": TaskRunning(), "t2": TaskRunning()}
    assert script.list_paths().count("/v1/imgenstd/results") == 1
    assert mhapi.batch_size("imgenstd") == 1


async def test_a_batch_that_rightly_knows_no_task_is_trusted_further(
    mhapi: MhapiProvider, script: UpstreamScript
) -> None:
    script.set_steps("/v1/imgenstd/results", build_response({"results": []}))
    for task in ("t1", "t2"):
        script.set_steps(f"/v1/imgenstd/result/{task}", build_mhapi_error(5, status=404))
    snapshots = await mhapi.poll([ONE, TWO])
    assert all(isinstance(snapshot, TaskLost) for snapshot in snapshots.values())
    assert mhapi.batch_size("imgenstd") == 50


async def test_a_task_the_batch_leaves_out_is_asked_about_by_itself(
    mhapi: MhapiProvider, script: UpstreamScript
) -> None:
    script.set_steps("/v1/imgenstd/results", build_response({"results": [build_state("t1")]}))
    script.set_steps("/v1/imgenstd/result/t2", build_mhapi_error(5, "expired", status=404))
    snapshots = await mhapi.poll([ONE, TWO])
    assert snapshots["t1"] == TaskRunning()
    assert isinstance(snapshots["t2"], TaskLost)
    assert "expired" in str(snapshots["t2"].reason)


@pytest.mark.parametrize(
    "failed",
    [httpx2.ReadError("no"), build_response("", 503), build_mhapi_error(2, status=500), build_mhapi_error(8)],
    ids=repr,
)
async def test_a_failed_look_says_nothing_of_the_tasks(
    mhapi: MhapiProvider, script: UpstreamScript, failed: Any
) -> None:
    script.set_steps("/v1/imgenstd/results", failed)
    script.set_steps("/v1/imgenstd/result/t1", failed)
    for tasks in ([ONE, TWO], [ONE]):
        with pytest.raises((ProviderUnavailable, RateLimited)):
            await mhapi.poll(tasks)
    assert mhapi.batch_size("imgenstd") == 50


@pytest.mark.parametrize("refusal", [build_mhapi_error(16, status=401), build_mhapi_error(7, status=403)], ids=repr)
async def test_an_account_problem_does_not_fail_running_jobs(
    mhapi: MhapiProvider, script: UpstreamScript, refusal: httpx2.Response
) -> None:
    script.set_steps("/v1/imgenstd/result/t1", refusal)
    with pytest.raises(ProviderUnavailable):
        await mhapi.poll([ONE])


async def test_one_broken_single_look_does_not_hide_the_others(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    script.set_steps("/v1/face/detect/t1", build_response("", 503))
    script.set_steps("/v1/face/detect/t2", build_response({"task": {"state": 0}}))
    snapshots = await mhapi.poll([UpstreamTask("t1", "face.detect"), UpstreamTask("t2", "face.detect")])
    assert snapshots == {"t2": TaskRunning()}
    assert mhapi.batch_size("face.detect") == 1


async def test_cut_outs_are_looked_for_where_the_contract_prints_it_too(
    mhapi: MhapiProvider, script: UpstreamScript
) -> None:
    script.set_steps("/v1/split/results", build_mhapi_error(12, status=501))
    script.set_steps("/v1/sup_res/results", build_response({"results": [build_state("t1"), build_state("t2")]}))
    tasks = [UpstreamTask("t1", "split"), UpstreamTask("t2", "split")]
    for _ in range(2):
        assert await mhapi.poll(tasks) == {"t1": TaskRunning(), "t2": TaskRunning()}
    assert script.list_paths() == ["/v1/split/results", "/v1/sup_res/results", "/v1/sup_res/results"]


async def test_a_task_id_is_one_segment_of_the_path(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    script.set_steps("/v1/imgenstd/result/a%2Fb%3F", build_response(build_state("a/b?")))
    assert await mhapi.poll([UpstreamTask("a/b?", "imgenstd")]) == {"a/b?": TaskRunning()}


async def test_only_trainings_can_be_cancelled(mhapi: MhapiProvider, script: UpstreamScript) -> None:
    assert await mhapi.cancel(ONE) is False
    assert script.requests == []


async def test_secrets_prompts_and_signed_links_stay_inside(
    mhapi: MhapiProvider, script: UpstreamScript, caplog: pytest.LogCaptureFixture
) -> None:
    """Even when the service says them back."""
    caplog.set_level(logging.INFO)

    def echo(sent: SentRequest) -> httpx2.Response:
        said = f"{sent.headers['authorization']} {SECRET_KEY} https://b.example/i.png?Signature=abc"
        return build_mhapi_error(8, said)

    script.set_steps(IMGEN, echo)
    with pytest.raises(RateLimited) as caught:
        await submit(mhapi)
    logged = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for word in (SECRET_KEY, "Signature=abc", "eyJ"):
        assert not [text for text in (str(caught.value), repr(caught.value), *logged) if word in text]
    assert not [text for text in logged if "private prompt" in text]


async def test_a_key_that_cannot_sign_is_a_setting_to_mend(clock: AutoAdvanceClock, script: UpstreamScript) -> None:
    from atelier_mcp.server.errors import ConfigurationError
    from atelier_mcp.server.providers.mhapi.provider import MhapiProvider

    provider = MhapiProvider(
        access_key="a", secret_key='{"kty": "oct"}', base_url="https://x.example", clock=clock,
        transport=script.transport,
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="MHAPI_SECRET_KEY"):
        await submit(provider)
    await provider.close()
