"""The whole HTTP service on a socket, and clients of it that come with a token."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.app import create_web_app

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    Environ = dict[str, str]


@asynccontextmanager
async def serve_http(environ: Environ) -> AsyncGenerator[str]:
    """The whole HTTP service on a free loopback port; gives its address."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(create_web_app(load_settings(environ), host="127.0.0.1"), log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]), name="http")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True


@asynccontextmanager
async def connect(
    address: str, token: str, *, mode: str = "auto", elicitation_callback: Any = None
) -> AsyncGenerator[Client]:
    """An MCP client that sends a bearer token; with a callback it can ask the person before it."""
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http_client,
        Client(
            streamable_http_client(f"{address}/mcp", http_client=http_client),
            mode=mode,  # pyright: ignore[reportArgumentType]  # a word of the SDK's
            elicitation_callback=elicitation_callback,
        ) as client,
    ):
        yield client


def build_call(tool: str, **arguments: Any) -> dict[str, Any]:
    """The body of a call as clients of the older protocol send it."""
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def build_modern_call(tool: str, **arguments: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and headers of a call as clients of the newest protocol send it."""
    body = build_call(tool, **arguments)
    body["params"]["_meta"] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    return body, {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
