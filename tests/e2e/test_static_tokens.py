"""Who comes in by a static token, and what for: 401, 403, revoked without a restart."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.app import create_web_app
from atelier_mcp.server.web.token_file import TokenFile
from tests.support.http_service import build_call, build_modern_call, connect, serve_http
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.emulator_harness import EmulatorHarness

    Environ = dict[str, str]

HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


@pytest.fixture
def token_file(environ: Environ) -> TokenFile:
    """The tokens of the server under test."""
    return TokenFile(load_settings(environ).home)


def add_token(token_file: TokenFile, name: str, *scopes: str) -> str:
    """A new token with these scopes."""
    return token_file.add(name, [f"atelier:{scope}" for scope in scopes], now=datetime.now(UTC))


def authorize(token: str) -> dict[str, str]:
    return {**HEADERS, "authorization": f"Bearer {token}"}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_token_of_the_file_lets_its_holder_make_pictures(
    environ: Environ, site: EmulatorHarness, token_file: TokenFile, mode: str
) -> None:
    token = add_token(token_file, "alice", "create")
    async with serve_http(environ) as address, connect(address, token, mode=mode) as client:
        made = await client.call_tool("generate_image", {"prompt": "a red kite"})
    assert get_structured(made)["state"] == "succeeded"


async def test_a_token_is_added_and_revoked_while_the_server_runs(
    environ: Environ, site: EmulatorHarness, token_file: TokenFile
) -> None:
    """Nobody restarts a server that others work with; and the last one revoked opens no door."""
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address) as client:
        assert (await client.get("/gallery/index")).status_code == 200
        alice, bob = add_token(token_file, "alice", "read"), add_token(token_file, "bob", "read")
        assert (await client.get("/gallery/index")).status_code == 401
        assert (await client.get("/gallery/index", headers=authorize(alice))).status_code == 200
        token_file.revoke("alice")
        assert (await client.get("/gallery/index", headers=authorize(alice))).status_code == 401
        assert (await client.get("/gallery/index", headers=authorize(bob))).status_code == 200
        token_file.revoke("bob")
        token_file.path.unlink()
        assert (await client.get("/gallery/index")).status_code == 401
        assert (await client.get("/healthz")).status_code == 200


async def test_a_challenge_says_what_is_wrong_and_what_is_needed(
    environ: Environ, site: EmulatorHarness, token_file: TokenFile
) -> None:
    """As RFC 6750 has it: a client without a token is told no error."""
    add_token(token_file, "alice", "read")
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address, headers=HEADERS) as client:
        missing = await client.post("/mcp", json=build_call("list_jobs"))
        wrong = await client.post("/mcp", json=build_call("list_jobs"), headers=authorize("atl_wrong"))
        basic = await client.post("/mcp", json={}, headers={"authorization": "Basic YTpi"})
        in_address = await client.post("/mcp?access_token=x", json={})
    assert [r.status_code for r in (missing, wrong, basic, in_address)] == [401] * 4
    assert missing.headers["www-authenticate"] == 'Bearer scope="atelier:read"'
    assert wrong.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description=')


@pytest.mark.parametrize(
    ("scope", "allowed", "refused"),
    [
        ("read", {"list_jobs", "wait_for_jobs", "view_image", "list_models"}, {"generate_image", "train_lora"}),
        ("create", {"list_jobs", "generate_image", "cancel_jobs", "import_image"}, {"train_lora"}),
        ("train", {"list_jobs", "train_lora"}, {"generate_image", "segment_image"}),
        ("admin", {"list_jobs", "generate_image", "train_lora"}, set[str]()),
    ],
)
async def test_a_tool_is_for_those_who_have_its_scope(
    environ: Environ, site: EmulatorHarness, token_file: TokenFile, scope: str, allowed: set[str], refused: set[str]
) -> None:
    """Decided before the tool runs, in both eras, by the name of today or an earlier one."""
    token = add_token(token_file, "alice", scope)
    async with (
        serve_http({**environ, "ATELIER_TOOLSETS": "all"}) as address,
        httpx2.AsyncClient(base_url=address, headers=authorize(token), timeout=60) as client,
    ):
        for tool in refused:
            body, headers = build_modern_call(tool)
            for response in (
                await client.post("/mcp", json=body, headers=headers),
                await client.post("/mcp", json=build_call(tool)),
            ):
                assert response.status_code == 403, tool
                assert 'Bearer error="insufficient_scope"' in response.headers["www-authenticate"]
                needed = "atelier:train" if tool == "train_lora" else "atelier:create"
                assert f'scope="{needed}"' in response.headers["www-authenticate"]
        for tool in allowed:
            body, headers = build_modern_call(tool)
            assert (await client.post("/mcp", json=body, headers=headers)).status_code == 200, tool


@pytest.mark.parametrize(
    ("body", "status"),
    [
        # Nobody takes those: not one of its calls is made.
        ([build_call("list_jobs"), build_call("generate_image", prompt="x")], 400),
        (build_call("generate_image", prompt="x" * 300_000), 403),
    ],
    ids=["in a batch", "in a long body"],
)
async def test_a_call_is_found_wherever_it_stands_in_the_body(
    environ: Environ, site: EmulatorHarness, token_file: TokenFile, body: Any, status: int
) -> None:
    """Whatever the headers claim: those of the older protocol are read by nobody else."""
    token = add_token(token_file, "alice", "read")
    headers = {**authorize(token), "mcp-method": "tools/list", "mcp-name": "list_jobs"}
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address, headers=headers) as client:
        assert (await client.post("/mcp", json=body)).status_code == status


async def test_a_token_for_nothing_reads_nothing(
    environ: Environ, site: EmulatorHarness, token_file: TokenFile
) -> None:
    token = add_token(token_file, "alice")
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address, headers=authorize(token)) as client:
        response = await client.get("/gallery/index")
    assert response.status_code == 403
    assert 'scope="atelier:read"' in response.headers["www-authenticate"]


async def test_who_may_only_look_deletes_nothing_in_the_gallery(
    environ: Environ, site: EmulatorHarness, token_file: TokenFile
) -> None:
    token = add_token(token_file, "alice", "read")
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address) as client:
        headers = {**authorize(token), "origin": address, "sec-fetch-site": "same-origin"}
        for path in ("/gallery/delete", "/gallery/call"):
            assert (await client.post(path, json={"handle": "img_x"}, headers=headers)).status_code == 403


async def test_a_file_that_breaks_lets_nobody_of_it_in_until_it_is_mended(
    environ: Environ, site: EmulatorHarness, token_file: TokenFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Who was revoked cannot be told then. The operator's own token is not in it."""
    token, secret = add_token(token_file, "alice", "read"), "a-long-random-token"
    sound = token_file.path.read_bytes()
    async with (
        serve_http({**environ, "ATELIER_HTTP_TOKEN": secret}) as address,
        httpx2.AsyncClient(base_url=address) as client,
    ):
        with caplog.at_level(logging.ERROR):
            token_file.path.write_bytes(b"{")
            refused = await client.get("/gallery/index", headers=authorize(token))
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        assert "is no file of tokens" in caplog.text
        assert (await client.get("/gallery/index", headers=authorize(secret))).status_code == 200
        token_file.path.write_bytes(sound)
        assert (await client.get("/gallery/index", headers=authorize(token))).status_code == 200


def test_a_token_of_the_file_is_enough_to_listen_beyond_loopback(tmp_path: Path) -> None:
    settings = load_settings({"ATELIER_HOME": str(tmp_path)})
    add_token(TokenFile(tmp_path), "alice", "read")
    create_web_app(settings, host="0.0.0.0")
    TokenFile(tmp_path).revoke("alice")
    with pytest.raises(ConfigurationError, match="atelier token add"):
        create_web_app(settings, host="0.0.0.0")
