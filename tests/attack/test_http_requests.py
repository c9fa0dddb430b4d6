"""Forged requests: pages of other doors, tokens that can be guessed, Host headers that are none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.app import create_web_app

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.attack_tally import AttackTally
    from tests.support.emulator_harness import EmulatorHarness

BROKEN_HOSTS = ("[", "[::1", "]", "a:b", "a:99999", "[::1]x", "", "127.0.0.1:80:80", "http://[", "\u00e9[")
FOREIGN_HOSTS = (
    "evil.example",
    "evil.example:80",
    "127.0.0.1.nip.io",
    "localhost.evil.example",
    "xlocalhost",
    "0x7f.1",
)


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("http://localhost:8765", True),
        ("http://127.0.0.1:8765", True),
        ("http://[::1]:8765", True),
        ("https://pictures.example", True),
        ("https://pictures.example:8443", False),
        ("http://named.example:9000", True),
        ("http://localhost:3000", False),
        ("http://localhost", False),
        ("https://localhost", False),
        ("http://127.0.0.1:8766", False),
        ("http://[::1]:1", False),
        ("http://127.0.0.2:8765", False),
        ("http://evil.example:8765", False),
        ("http://localhost:8765@evil.example", False),
        ("http://localhost:8765.evil.example", False),
        ("http://localhost:x", False),
        ("http://[", False),
        ("null", False),
        ("file://", False),
    ],
)
def test_a_page_of_another_port_is_another_origin(origin: str, is_own: bool, tmp_path: Path) -> None:
    """Whatever else runs on this machine must not speak to us in its visitor's name."""
    environ = {"ATELIER_HOME": str(tmp_path), "ATELIER_HTTP_HOSTS": "pictures.example, named.example:9000"}
    app = create_web_app(load_settings(environ), host="127.0.0.1")
    client = TestClient(app, base_url="http://localhost:8765")
    assert (client.get("/", headers={"origin": origin}).status_code == 200) is is_own


@pytest.mark.parametrize("token", ["", " ", "x", "secret", "a" * 64, "abab" * 16, "fifteen letters"])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.10", "::", "example.org"])
def test_a_token_that_can_be_guessed_is_not_taken_beyond_loopback(token: str, host: str, tmp_path: Path) -> None:
    settings = load_settings({"ATELIER_HOME": str(tmp_path), "ATELIER_HTTP_TOKEN": token})
    with pytest.raises(ConfigurationError, match="ATELIER_HTTP_TOKEN"):
        create_web_app(settings, host=host)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_token_beyond_ascii_lets_in_whoever_sends_it(encoding: str, tmp_path: Path) -> None:
    """However the client writes it: headers have no encoding of their own."""
    token = "schl\u00fcssel-f\u00fcr-das-atelier"
    settings = load_settings({"ATELIER_HOME": str(tmp_path), "ATELIER_HTTP_TOKEN": token})
    client = TestClient(create_web_app(settings, host="0.0.0.0"), base_url="http://localhost:8765")
    for sent, is_let_in in ((token, True), (token[:-1], False), (token + "x", False)):
        header = b"Bearer " + sent.encode(encoding)
        status = client.get("/nothing", headers=[(b"authorization", header)]).status_code  # pyright: ignore[reportArgumentType]  # bytes are sent as they are
        assert (status != 401) is is_let_in


async def test_the_control_api_of_the_emulator_answers_under_no_foreign_name(
    site: EmulatorHarness, tally: AttackTally
) -> None:
    """A page whose name was made to lead here would have the built-in services fail at will."""
    for host in FOREIGN_HOSTS:
        for path in ("/_control/settings", "/_control/faults", "/_control/sd_aws/people"):
            response = await site.client.get(path, headers={"host": host})
            tally.record(f"{host} {path}", got_through=response.status_code not in {404, 421})
    assert (await site.client.get("/_control/settings")).status_code == 200


async def test_a_host_header_that_is_none_breaks_nothing(site: EmulatorHarness, tally: AttackTally) -> None:
    """Written by hand, since no client would send it."""
    address, _, port = site.emulator.base_url.removeprefix("http://").partition(":")
    for host in BROKEN_HOSTS:
        for path in ("/_control/settings", "/mhapi/v1/models", "/nothing"):
            reader, writer = await asyncio.open_connection(address, int(port))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            tally.record(f"{host} {path}: {answer[:40]!r}", got_through=b" 500 " in answer[:20] or not answer)
