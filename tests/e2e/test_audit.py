"""The audit log: a line for each spend that says who, what, where and how much."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.token_file import TokenFile
from tests.e2e.test_static_tokens import add_token
from tests.support.http_service import connect, serve_http
from tests.support.oauth_issuer import serve_issuer
from tests.support.tool_results import get_refusal, get_structured

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import NewClient
    from tests.support.emulator_harness import EmulatorHarness

    Environ = dict[str, str]


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_each_spend_is_a_line_of_json(environ: Environ, site: EmulatorHarness) -> None:
    """Reserved before it is sent, settled when it is known; what is refused here or looked at is no spend."""
    home = load_settings(environ).home
    token = add_token(TokenFile(home), "alice", "create")
    async with (
        serve_http({**environ, "ATELIER_BUDGET_PER_PRINCIPAL_DAY": "2"}) as address,
        connect(address, token) as client,
    ):
        made = get_structured(await client.call_tool("generate_image", {"prompt": "a secret kite", "samples": 2}))
        refused = await client.call_tool("generate_image", {"prompt": "a red kite"})
        assert "ATELIER_BUDGET_PER_PRINCIPAL_DAY" in get_refusal(refused)
        await client.call_tool("list_jobs", {})
    lines = read_lines(home / "audit.jsonl")
    assert [(line["event"], line["job"], line["pictures"]) for line in lines] == [
        ("reserved", made["job_id"], 2),
        ("settled", made["job_id"], 2),
    ]
    for line in lines:
        assert (line["principal"], line["capability"], line["provider"], line["account"]) == (
            "static:alice",
            "generate_image",
            "mhapi",
            made["account"],
        )
    assert "secret" not in (home / "audit.jsonl").read_text()
    if os.name == "posix":
        assert stat.S_IMODE((home / "audit.jsonl").stat().st_mode) == 0o600


async def test_of_a_tenant_the_person_and_the_program_are_named(
    environ: Environ, site: EmulatorHarness, tmp_path: Path
) -> None:
    """What is made belongs to all of them, and somebody spent the money."""
    audit_log = tmp_path / "books.jsonl"
    async with serve_issuer() as issuer:
        settings = {
            "ATELIER_OAUTH_ISSUER": issuer.url,
            "ATELIER_OAUTH_TENANT_CLAIM": "org_id",
            "ATELIER_PUBLIC_URL": "https://pictures.example.org",
            "ATELIER_AUDIT_LOG": str(audit_log),
        }
        token = issuer.sign("https://pictures.example.org/mcp", org_id="acme")
        async with serve_http({**environ, **settings}) as address, connect(address, token, mode="legacy") as client:
            await client.call_tool("generate_image", {"prompt": "a red kite"})
    reserved = read_lines(audit_log)[0]
    assert reserved["principal"] == f"oauth:{issuer.url}@acme"
    assert (reserved["subject"], reserved["client"]) == ("alice", "host")


@pytest.mark.parametrize("is_asked_for", [True, False])
async def test_over_stdio_books_are_kept_where_that_was_asked_for(
    new_client: NewClient, tmp_path: Path, is_asked_for: bool
) -> None:
    path = tmp_path / "books.jsonl"
    async with new_client(**({"ATELIER_AUDIT_LOG": str(path)} if is_asked_for else {})) as client:
        await client.call_tool("generate_image", {"prompt": "a red kite"})
    assert path.exists() is is_asked_for
    assert not (tmp_path / "home" / "audit.jsonl").exists()
    if is_asked_for:
        assert {line["principal"] for line in read_lines(path)} == {"local"}


async def test_books_that_cannot_be_kept_cost_no_picture(new_client: NewClient, tmp_path: Path) -> None:
    """The job is paid for by then."""
    (tmp_path / "taken").mkdir()
    async with new_client(ATELIER_AUDIT_LOG=str(tmp_path / "taken")) as client:
        made = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite"}))
    assert made["state"] == "succeeded"
