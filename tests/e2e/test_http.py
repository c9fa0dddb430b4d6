"""Atelier over HTTP: safe by default."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
import pytest
from mcp import Client
from PIL import Image

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web import request_bodies
from atelier_mcp.server.web.app import create_web_app
from tests.support.http_service import serve_http
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.support.emulator_harness import EmulatorHarness

    Environ = dict[str, str]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_makes_a_picture_over_http(environ: Environ, site: EmulatorHarness, mode: str) -> None:
    """In both eras of the protocol."""
    async with serve_http(environ) as address, Client(f"{address}/mcp", mode=mode) as client:  # pyright: ignore[reportArgumentType]  # a word of the SDK's
        assert (
            get_structured(await client.call_tool("generate_image", {"prompt": "a red kite"}))["state"] == "succeeded"
        )


async def test_local_paths_are_for_local_callers(environ: Environ, site: EmulatorHarness) -> None:
    """Over HTTP the caller is elsewhere: its paths are not this machine's."""
    async with serve_http(environ) as address, Client(f"{address}/mcp") as client:
        result = await client.call_tool("generate_image", {"prompt": "x", "image": "/etc/hostname"})
    assert result.is_error


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, None), ({"host": "evil.example"}, 421), ({"origin": "https://evil.example"}, 403)],
)
@pytest.mark.parametrize("path", ["/", "/mcp", "/pictures/img_aaaaaaaaaaaaaaaa"])
async def test_every_route_checks_host_and_origin(
    environ: Environ, site: EmulatorHarness, headers: dict[str, str], status: int | None, path: str
) -> None:
    """Also our own: a page in a browser must not reach this server by a name of its own."""
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address) as client:
        response = await client.request("POST" if path == "/mcp" else "GET", path, headers=headers)
    assert response.status_code == status or (
        (not headers and response.status_code not in {403, 421}) or "pictures" in path
    )
    if headers:
        assert response.status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_are_answered_under_any_name(environ: Environ, site: EmulatorHarness, path: str) -> None:
    """A balancer goes by an address that nobody listed; it would take every replica out."""
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address) as client:
        response = await client.get(path, headers={"host": "10.1.2.3:8765"})
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_a_token_is_asked_for_where_one_is_set(environ: Environ, site: EmulatorHarness) -> None:
    """On the protocol's route; the health check says nothing anyway."""
    secret = "a-long-random-token"  # of this test alone
    async with (
        serve_http({**environ, "ATELIER_HTTP_TOKEN": secret}) as address,
        httpx2.AsyncClient(base_url=address) as client,
    ):
        assert (await client.post("/mcp", json={})).status_code == 401
        assert (await client.post("/mcp", json={}, headers={"Authorization": "Bearer wrong"})).status_code == 401
        assert (await client.post("/mcp", json={}, headers={"Authorization": f"Bearer {secret}"})).status_code != 401
        assert (await client.get("/healthz")).status_code == 200


async def test_a_picture_of_many_megabytes_goes_in_as_a_data_url(environ: Environ, site: EmulatorHarness) -> None:
    """The limit that is told is that of the picture, not one of the transport's."""
    stream = io.BytesIO()
    noise = random.Random(5).randbytes(1300 * 1300 * 3)  # noise does not compress
    Image.frombytes("RGB", (1300, 1300), noise).save(stream, "PNG")
    data_url = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    assert len(data_url) > 4_300_000
    async with serve_http(environ) as address, Client(f"{address}/mcp") as client:
        result = await client.call_tool("import_image", {"image": data_url})
    assert get_structured(result)["image"]["width"] == 1300


async def test_half_of_a_surrogate_pair_is_replaced(environ: Environ, site: EmulatorHarness) -> None:
    """As over stdio."""
    call = {"name": "list_jobs", "arguments": {"limit": "TEXT"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": call}).replace("TEXT", r"\ud83d")
    initialize = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address, headers=headers) as client:
        opened = await client.post(
            "/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize}
        )
        client.headers["mcp-session-id"] = opened.headers["mcp-session-id"]
        response = await client.post("/mcp", content=body)
    assert response.status_code == 200
    assert "a whole number is needed" in response.text


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_beyond_every_picture_is_refused_as_json_rpc(
    environ: Environ, site: EmulatorHarness, monkeypatch: pytest.MonkeyPatch, is_announced: bool
) -> None:
    """Whether its length is told first or not."""
    monkeypatch.setattr(request_bodies, "MAX_BODY_BYTES", 100_000)

    async def stream_body() -> AsyncGenerator[bytes]:
        for _ in range(20):
            yield b" " * 10_000

    body = b" " * 200_000 if is_announced else stream_body()
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    async with serve_http(environ) as address, httpx2.AsyncClient(base_url=address) as client:
        response = await client.post("/mcp", content=body, headers=headers)
    assert response.status_code == 413
    assert response.json()["error"]["message"].startswith("The request is larger than")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "[::1"}, 421),
        ({"host": "["}, 421),
        ({"origin": "http://[::1"}, 403),
        ({"origin": "http://a]b"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "Pictures.Example.org:8443", "origin": "https://pictures.example.org:8443"}, 200),
        ({"host": "10.0.0.7"}, 200),
    ],
)
async def test_names_are_those_that_are_listed_and_broken_ones_are_none(
    environ: Environ, site: EmulatorHarness, headers: dict[str, str], status: int
) -> None:
    """Behind a proxy or in a container the server goes by names it cannot know."""
    listed = {**environ, "ATELIER_HTTP_HOSTS": "pictures.example.org, 10.0.0.7"}
    async with serve_http(listed) as address, httpx2.AsyncClient(base_url=address) as client:
        assert (await client.get("/", headers=headers)).status_code == status


async def test_where_clients_look_for_oauth_there_is_nothing(environ: Environ, site: EmulatorHarness) -> None:
    """A client that is asked for a token there reports a failed server."""
    secret = "a-long-random-token"  # of this test alone
    async with (
        serve_http({**environ, "ATELIER_HTTP_TOKEN": secret}) as address,
        httpx2.AsyncClient(base_url=address) as client,
    ):
        for name in ("oauth-protected-resource", "oauth-protected-resource/mcp", "oauth-authorization-server"):
            assert (await client.get(f"/.well-known/{name}")).status_code == 404


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_is_printed_as_it_can_be_used(tmp_path: Path, host: str) -> None:
    environ = {**os.environ, "ATELIER_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "atelier_mcp.server", "serve", "--http", "--host", host, "--port", "0"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        finally:
            process.kill()
    if "Cannot listen" not in line:  # a machine without IPv6
        assert re.fullmatch(r"Atelier listens at http://\[::1\]:\d+/mcp\n", line)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.10", "example.org"])  # that it is refused is the point
def test_it_refuses_to_listen_beyond_loopback_without_a_token(tmp_path: Path, host: str) -> None:
    """An open door to somebody's paid accounts."""
    with pytest.raises(ConfigurationError, match="ATELIER_HTTP_TOKEN"):
        create_web_app(load_settings({"ATELIER_HOME": str(tmp_path)}), host=host)
