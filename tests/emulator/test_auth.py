"""Who gets in: only who signed with the account's key, now, with HS256."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from emulated import error_code

if TYPE_CHECKING:
    from emulated import Site

MODELS = "/v1/imgenstd/models"
OTHER_KEY = "another-secret-key-0123456789abcdef0123456789"


async def refused(site: Site, token: str) -> None:
    answer = await site.call("GET", MODELS, token=token)
    assert answer.status_code == 401
    assert error_code(answer) == 16


async def test_a_good_token_gets_in(site: Site) -> None:
    assert (await site.get(MODELS)).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": 1_799_999_999},
        {"exp": 1_800_000_000},
        {"exp": "soon"},
        {"nbf": 1_800_000_006},
        {"iss": None},
        {"iss": "nobody"},
    ],
    ids=str,
)
async def test_a_token_with_bad_claims_is_refused(site: Site, claims: dict[str, Any]) -> None:
    await refused(site, site.token(**claims))


async def test_a_token_is_refused_once_its_time_is_over(site: Site) -> None:
    token = site.token(exp=int(site.clock()) + 60)
    assert (await site.call("GET", MODELS, token=token)).status_code == 200
    site.clock.now += 61
    await refused(site, token)


async def test_nbf_has_five_seconds_of_leeway_and_may_be_left_out(site: Site) -> None:
    for nbf in (int(site.clock()) + 5, None):
        assert (await site.call("GET", MODELS, token=site.token(nbf=nbf))).status_code == 200


async def test_another_key_or_algorithm_is_refused(site: Site) -> None:
    await refused(site, site.token(key=OTHER_KEY))
    await refused(site, site.token(key=site.demo_key * 2, algorithm="HS512"))


async def test_an_unsigned_token_is_refused(site: Site) -> None:
    def part(document: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    claims = {"iss": "atelier-demo-ak", "exp": int(site.clock()) + 100}
    await refused(site, f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.")


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "Bearer not.a.token"])
async def test_what_is_no_bearer_token_is_refused(site: Site, header: str) -> None:
    answer = await site.client.get(f"/mhapi{MODELS}", headers={"Authorization": header})
    assert answer.status_code == 401
    assert error_code(answer) == 16


async def test_the_word_bearer_may_be_in_any_case_and_further_claims_do_not_matter(site: Site) -> None:
    headers = {"Authorization": f"bEARER {site.token(aud='whoever', iat=5, sub=7)}"}
    assert (await site.client.get(f"/mhapi{MODELS}", headers=headers)).status_code == 200


async def test_a_token_may_be_limited_in_lifetime(site: Site) -> None:
    await site.control("PATCH", "/settings", {"mhapi": {"max_token_s": 600}})
    await refused(site, site.token())
    assert (await site.call("GET", MODELS, token=site.token(exp=int(site.clock()) + 600))).status_code == 200


async def test_an_account_let_in_by_the_control_door_sees_only_its_own_tasks(site: Site) -> None:
    task_id = await site.submitted("/v1/imgenstd/imgen", model_id="artist_v1.0", prompt="a cat")
    other = site.token(iss="other-ak", key=OTHER_KEY)
    await refused(site, other)
    await site.control("POST", "/accounts", {"access_key": "other-ak", "secret_key": OTHER_KEY})
    answer = await site.call("GET", f"/v1/imgenstd/result/{task_id}", token=other)
    assert (answer.status_code, error_code(answer)) == (404, 5)
    assert (await site.get(f"/v1/imgenstd/result/{task_id}")).status_code == 200


async def test_too_many_calls_in_a_second_are_refused_until_it_is_over(site: Site) -> None:
    await site.control("PATCH", "/settings", {"rate_per_s": 2})
    answers = [await site.get(MODELS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert error_code(answers[2]) == 8
    assert answers[2].headers["retry-after"] == "1"
    site.clock.now += 1
    assert (await site.get(MODELS)).status_code == 200


async def test_errors_can_come_under_http_200(site: Site) -> None:
    await site.control("PATCH", "/settings", {"mhapi": {"always_200": True}})
    answer = await site.call("GET", MODELS, token="x")
    assert (answer.status_code, error_code(answer)) == (200, 16)
