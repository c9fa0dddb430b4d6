"""Who gets in: only who signed with the account's key, now, with HS256."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.emulator_harness import read_error_code

if TYPE_CHECKING:
    from tests.support.emulator_harness import EmulatorHarness

MODELS = "/v1/imgenstd/models"
OTHER_KEY = "another-secret-key-0123456789abcdef0123456789"


async def assert_refused(site: EmulatorHarness, token: str) -> None:
    response = await site.call_mhapi("GET", MODELS, token=token)
    assert response.status_code == 401
    assert read_error_code(response) == 16


async def test_a_good_token_gets_in(site: EmulatorHarness) -> None:
    assert (await site.get(MODELS)).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": 1_799_999_999},
        {"exp": 1_800_000_000},
        {"exp": "soon"},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"nbf": 1_800_000_006},
        {"iss": None},
        {"iss": "nobody"},
    ],
    ids=str,
)
async def test_a_token_with_bad_claims_is_refused(site: EmulatorHarness, claims: dict[str, Any]) -> None:
    await assert_refused(site, site.sign_token(**claims))


async def test_a_token_is_refused_once_its_time_is_over(site: EmulatorHarness) -> None:
    token = site.sign_token(exp=int(site.clock()) + 60)
    assert (await site.call_mhapi("GET", MODELS, token=token)).status_code == 200
    site.clock.now += 61
    await assert_refused(site, token)


async def test_nbf_has_five_seconds_of_leeway_and_may_be_left_out(site: EmulatorHarness) -> None:
    for nbf in (int(site.clock()) + 5, None):
        assert (await site.call_mhapi("GET", MODELS, token=site.sign_token(nbf=nbf))).status_code == 200


async def test_another_key_or_algorithm_is_refused(site: EmulatorHarness) -> None:
    await assert_refused(site, site.sign_token(key=OTHER_KEY))
    await assert_refused(site, site.sign_token(key=site.demo_key * 2, algorithm="HS512"))


async def test_an_unsigned_token_is_refused(site: EmulatorHarness) -> None:
    def encode_part(document: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    claims = {"iss": "atelier-demo-ak", "exp": int(site.clock()) + 100}
    await assert_refused(site, f"{encode_part({'alg': 'none', 'typ': 'JWT'})}.{encode_part(claims)}.")


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "Bearer not.a.token"])
async def test_what_is_no_bearer_token_is_refused(site: EmulatorHarness, header: str) -> None:
    response = await site.client.get(f"/mhapi{MODELS}", headers={"Authorization": header})
    assert response.status_code == 401
    assert read_error_code(response) == 16


async def test_the_word_bearer_may_be_in_any_case_and_further_claims_do_not_matter(site: EmulatorHarness) -> None:
    headers = {"Authorization": f"bEARER {site.sign_token(aud='whoever', iat=5, sub=7)}"}
    assert (await site.client.get(f"/mhapi{MODELS}", headers=headers)).status_code == 200


async def test_a_token_may_be_limited_in_lifetime(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"mhapi": {"max_token_s": 600}})
    await assert_refused(site, site.sign_token())
    assert (await site.call_mhapi("GET", MODELS, token=site.sign_token(exp=int(site.clock()) + 600))).status_code == 200


async def test_an_account_added_by_the_control_api_sees_only_its_own_tasks(site: EmulatorHarness) -> None:
    task_id = await site.submit_task("/v1/imgenstd/imgen", model_id="artist_v1.0", prompt="a cat")
    other = site.sign_token(iss="other-ak", key=OTHER_KEY)
    await assert_refused(site, other)
    await site.call_control("POST", "/accounts", {"access_key": "other-ak", "secret_key": OTHER_KEY})
    response = await site.call_mhapi("GET", f"/v1/imgenstd/result/{task_id}", token=other)
    assert (response.status_code, read_error_code(response)) == (404, 5)
    assert (await site.get(f"/v1/imgenstd/result/{task_id}")).status_code == 200


async def test_too_many_calls_in_a_second_are_refused_until_it_is_over(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"rate_per_s": 2})
    responses = [await site.get(MODELS) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert read_error_code(responses[2]) == 8
    assert responses[2].headers["retry-after"] == "1"
    site.clock.now += 1
    assert (await site.get(MODELS)).status_code == 200


async def test_errors_can_come_under_http_200(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"mhapi": {"always_200": True}})
    response = await site.call_mhapi("GET", MODELS, token="x")
    assert (response.status_code, read_error_code(response)) == (200, 16)
