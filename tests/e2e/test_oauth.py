"""Tokens of an OAuth issuer: which are taken, whose they are, and how a client learns where to get one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.app import create_web_app
from tests.support.http_service import build_call, build_modern_call, connect, serve_http
from tests.support.oauth_issuer import OAuthIssuer, serve_issuer
from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.support.emulator_harness import EmulatorHarness

    Environ = dict[str, str]

PUBLIC_URL = "https://pictures.example.org"
RESOURCE = f"{PUBLIC_URL}/mcp"
METADATA = f"{PUBLIC_URL}/.well-known/oauth-protected-resource/mcp"


@pytest.fixture
async def issuer() -> AsyncGenerator[OAuthIssuer]:
    """The issuer that the server under test trusts."""
    async with serve_issuer() as running:
        yield running


@pytest.fixture
def oauth_environ(environ: Environ, issuer: OAuthIssuer) -> Environ:
    """The settings of a server that takes its tokens."""
    return {**environ, "ATELIER_OAUTH_ISSUER": issuer.url, "ATELIER_PUBLIC_URL": PUBLIC_URL}


def authorize(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}


async def test_a_client_learns_where_to_get_a_token(
    oauth_environ: Environ, site: EmulatorHarness, issuer: OAuthIssuer
) -> None:
    """From the challenge, or at the root where some look first; neither asks for a token."""
    async with serve_http(oauth_environ) as address, httpx2.AsyncClient(base_url=address) as client:
        challenge = await client.post("/mcp", json=build_call("list_jobs"))
        assert challenge.status_code == 401
        expected = f'Bearer scope="atelier:read", resource_metadata="{METADATA}"'
        assert challenge.headers["www-authenticate"] == expected
        for path in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"):
            document = (await client.get(path)).json()
            assert (document["resource"], document["authorization_servers"]) == (RESOURCE, [issuer.url])
            assert document["scopes_supported"] == [
                "atelier:read",
                "atelier:create",
                "atelier:train",
                "atelier:admin",
            ]
        assert (await client.get("/.well-known/oauth-authorization-server")).status_code == 404


async def test_tokens_for_this_server_are_taken_and_no_others(
    oauth_environ: Environ, site: EmulatorHarness, issuer: OAuthIssuer
) -> None:
    """Each of the others was tried on somebody's server."""
    now = int(time.time())
    good = {
        "RS256": issuer.sign(RESOURCE),
        "ES256": issuer.sign(RESOURCE, "ec"),
        "for several": issuer.sign([RESOURCE, "https://other.example"]),
        "scopes in a list": issuer.sign(RESOURCE, scope=None, scp=["atelier:read"]),
    }
    bad = {
        "for another": issuer.sign("https://other.example/mcp"),
        "for our page": issuer.sign(PUBLIC_URL),
        "for nobody": issuer.sign(None),
        "of another issuer": issuer.sign(RESOURCE, iss="https://other.example"),
        "expired": issuer.sign(RESOURCE, exp=now - 60),
        "for ever": issuer.sign(RESOURCE, exp=None),
        "of the future": issuer.sign(RESOURCE, nbf=now + 600),
        "of no time": issuer.sign(RESOURCE, iat=None),
        "for no subject": issuer.sign(RESOURCE, sub=None),
        "for an empty subject": issuer.sign(RESOURCE, sub=""),
        "for a subject that cannot be written": issuer.sign(RESOURCE, sub="a\x00b"),
        "signed by another key": issuer.sign(RESOURCE, "ec", signed_by="rsa"),
        "by a public key as a secret": issuer.forge(RESOURCE),
        "unsigned": "eyJhbGciOiJub25lIiwia2lkIjoicnNhIn0." + issuer.sign(RESOURCE).split(".")[1] + ".",
        "changed": issuer.sign(RESOURCE)[:-6] + "AAAAAA",
        "no token": "a.b.c",
    }
    body, headers = build_modern_call("list_jobs")
    async with serve_http(oauth_environ) as address, httpx2.AsyncClient(base_url=address) as client:
        for name, token in good.items():
            response = await client.post("/mcp", json=body, headers={**authorize(token), **headers})
            assert response.status_code == 200, name
        for name, token in bad.items():
            response = await client.post("/mcp", json=body, headers={**authorize(token), **headers})
            assert response.status_code == 401, name
            assert 'error="invalid_token"' in response.headers["www-authenticate"], name
            assert f'resource_metadata="{METADATA}"' in response.headers["www-authenticate"], name


async def test_a_call_beyond_the_tokens_scopes_asks_for_more(
    oauth_environ: Environ, site: EmulatorHarness, issuer: OAuthIssuer
) -> None:
    """Step-up: a client asks its user and comes back with another token."""
    body, headers = build_modern_call("generate_image", prompt="a red kite")
    async with serve_http(oauth_environ) as address, httpx2.AsyncClient(base_url=address, timeout=60) as client:
        for scope, missing in (("atelier:read", "atelier:create"), ("openid profile", "atelier:create")):
            token = issuer.sign(RESOURCE, scope=scope)
            response = await client.post("/mcp", json=body, headers={**authorize(token), **headers})
            challenge = response.headers["www-authenticate"]
            assert (response.status_code, 'error="insufficient_scope"' in challenge) == (403, True)
            assert f'scope="{missing}"' in challenge
            assert f'resource_metadata="{METADATA}"' in challenge
        token = issuer.sign(RESOURCE, scope="openid atelier:create")
        assert (await client.post("/mcp", json=body, headers={**authorize(token), **headers})).status_code == 200


async def test_a_person_is_the_same_by_another_program_and_an_hour_later(
    oauth_environ: Environ, site: EmulatorHarness, issuer: OAuthIssuer
) -> None:
    """The owner is issuer and subject: neither the token nor the program that brought it."""
    later = {"client_id": "another-host", "jti": "2", "iat": int(time.time()) - 5}
    async with (
        serve_http(oauth_environ) as address,
        connect(address, issuer.sign(RESOURCE)) as first,
        connect(address, issuer.sign(RESOURCE, "ec", **later), mode="legacy") as second,
        connect(address, issuer.sign(RESOURCE, sub="bob")) as bob,
    ):
        made = get_structured(await first.call_tool("generate_image", {"prompt": "a red kite"}))
        assert made["job_id"] in get_text(await second.call_tool("list_jobs", {}))
        assert "There are no such jobs." in get_text(await bob.call_tool("list_jobs", {}))


async def test_a_tenant_shares_what_its_people_make(
    oauth_environ: Environ, site: EmulatorHarness, issuer: OAuthIssuer
) -> None:
    """Who has no tenant is alone, also one whose name looks like a tenant's."""
    environ = {**oauth_environ, "ATELIER_OAUTH_TENANT_CLAIM": "org_id"}
    claims: list[dict[str, Any]] = [
        {"sub": "alice", "org_id": "acme"},
        {"sub": "bob", "org_id": "acme"},
        {"sub": "acme"},
        {"sub": "alice", "org_id": "other"},
    ]
    seen: list[bool] = []
    async with serve_http(environ) as address:
        async with connect(address, issuer.sign(RESOURCE, **claims[0])) as client:
            job_id = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite"}))["job_id"]
        for one in claims:
            async with connect(address, issuer.sign(RESOURCE, **one)) as client:
                seen.append(job_id in get_text(await client.call_tool("list_jobs", {})))
    assert seen == [True, True, False, False]


async def test_a_session_is_for_the_person_who_opened_it(
    oauth_environ: Environ, site: EmulatorHarness, issuer: OAuthIssuer
) -> None:
    """Its id alone gets nobody in: the answers of another's calls come by it."""
    initialize = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize}
    alice, bob = authorize(issuer.sign(RESOURCE)), authorize(issuer.sign(RESOURCE, sub="bob"))
    async with serve_http(oauth_environ) as address, httpx2.AsyncClient(base_url=address) as client:
        opened = await client.post("/mcp", json=body, headers=alice)
        session = {"mcp-session-id": opened.headers["mcp-session-id"]}
        assert (await client.post("/mcp", json=build_call("list_jobs"), headers={**bob, **session})).status_code == 404
        assert (
            await client.post("/mcp", json=build_call("list_jobs"), headers={**alice, **session})
        ).status_code == 200


async def test_without_the_issuer_nobody_new_can_be_told_but_static_tokens_work(
    oauth_environ: Environ, site: EmulatorHarness, issuer: OAuthIssuer
) -> None:
    """503 and not 401: the token may be good, and a client would ask its user to log in for nothing."""
    issuer.is_down = True
    secret = "a-long-random-token"  # of this test alone
    environ = {**oauth_environ, "ATELIER_HTTP_TOKEN": secret}
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address) as client:
        response = await client.get("/gallery/index", headers=authorize(issuer.sign(RESOURCE)))
        assert (response.status_code, int(response.headers["retry-after"]) > 0) == (503, True)
        assert "www-authenticate" not in response.headers
        assert (await client.get("/gallery/index", headers=authorize(secret))).status_code == 200


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ATELIER_OAUTH_AUDIENCE": "x"}, "ATELIER_OAUTH_AUDIENCE needs ATELIER_OAUTH_ISSUER"),
        ({"ATELIER_OAUTH_TENANT_CLAIM": "x"}, "ATELIER_OAUTH_TENANT_CLAIM needs ATELIER_OAUTH_ISSUER"),
        ({"ATELIER_OAUTH_ISSUER": "https://login.example.org"}, "needs ATELIER_PUBLIC_URL"),
        ({"ATELIER_OAUTH_ISSUER": "http://login.example.org", "ATELIER_PUBLIC_URL": PUBLIC_URL}, "only loopback"),
        ({"ATELIER_OAUTH_ISSUER": "login.example.org", "ATELIER_PUBLIC_URL": PUBLIC_URL}, "ATELIER_OAUTH_ISSUER"),
    ],
)
def test_settings_that_do_not_go_together_stop_the_start(tmp_path: Path, more: dict[str, str], words: str) -> None:
    settings = load_settings({"ATELIER_HOME": str(tmp_path), **more})
    with pytest.raises(ConfigurationError, match=words):
        create_web_app(settings, host="0.0.0.0")
