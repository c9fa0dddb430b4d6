"""Two hundred clients of one server over HTTP for half a minute: no error, and nobody waits much longer than others.

Half of them have a session, as most hosts do today; half send every request by itself, as the newest protocol does.
Nine requests in ten ask for the tools, the tenth calls one.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2

from tests.bench.figures import Figure, compute_percentile, report
from tests.support.http_process import HEADERS, HELLO, serve_in_process

CLIENTS = 200
DURATION_S = 30.0
CALL_EVERY = 10
STATELESS_REVISION = "2026-07-28"


class _LoadClient:
    """One client, over a connection of its own."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(base_url=url, headers=HEADERS, timeout=60)
        self._ids = itertools.count(2)
        self._meta: dict[str, Any] = {}
        self.list_times_s: list[float] = []
        self.requests = 0
        self.errors: list[str] = []

    async def open_session(self) -> None:
        """Send what follows within a session."""
        answer = await self._http.post("/mcp", json=HELLO)
        self._http.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        await self._http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})

    def use_no_session(self) -> None:
        """Say with every request what a session would know."""
        prefix = "io.modelcontextprotocol"
        info = {"name": "load", "version": "1"}
        self._http.headers["mcp-protocol-version"] = STATELESS_REVISION
        self._meta = {
            f"{prefix}/protocolVersion": STATELESS_REVISION,
            f"{prefix}/clientCapabilities": {},
            f"{prefix}/clientInfo": info,
        }

    async def run(self, until_s: float) -> None:
        """Ask again and again until then."""
        while time.perf_counter() < until_s:
            started_s = time.perf_counter()
            if self.requests % CALL_EVERY:
                await self._ask("tools/list", {})
                self.list_times_s.append(time.perf_counter() - started_s)
            else:
                await self._ask("tools/call", {"name": "list_jobs", "arguments": {}})

    async def close(self) -> None:
        """Give up the connection."""
        await self._http.aclose()

    async def _ask(self, method: str, params: dict[str, Any]) -> None:
        self.requests += 1
        message = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        headers: dict[str, str] = {}
        if self._meta:
            message["params"] = {**params, "_meta": self._meta}
            headers = {"mcp-method": method} | ({"mcp-name": params["name"]} if "name" in params else {})
        try:
            answer = await self._http.post("/mcp", json=message, headers=headers)
        except httpx2.HTTPError as error:
            self.errors.append(type(error).__name__)
            return
        if answer.status_code != 200 or '"result"' not in answer.text or '"isError":true' in answer.text:
            self.errors.append(f"{answer.status_code} {answer.text[:200]}")


async def _run_clients(url: str) -> list[_LoadClient]:
    clients = [_LoadClient(url) for _ in range(CLIENTS)]
    for number, client in enumerate(clients):
        if number % 2:
            client.use_no_session()
        else:
            await client.open_session()
    until_s = time.perf_counter() + DURATION_S
    await asyncio.gather(*(client.run(until_s) for client in clients))
    await asyncio.gather(*(client.close() for client in clients))
    return clients


def measure() -> None:
    """Report errors, requests a second, and how long the list of tools takes."""
    with tempfile.TemporaryDirectory() as folder, serve_in_process(Path(folder)) as (url, _):
        clients = asyncio.run(_run_clients(url))
    times_s = [seconds for client in clients for seconds in client.list_times_s]
    median_s, p99_s = (compute_percentile(times_s, share) for share in (0.5, 0.99))
    name = f"{CLIENTS} HTTP clients for {DURATION_S:.0f} s"
    report(
        Figure(f"{name}: errors", sum(len(client.errors) for client in clients), "", at_most=0),
        Figure(f"{name}: requests", sum(client.requests for client in clients) / DURATION_S, "a second"),
        Figure(f"{name}: tools/list, median", median_s * 1e3, "ms"),
        Figure(f"{name}: tools/list, p99 in medians", p99_s / median_s, "", at_most=10),
    )


if __name__ == "__main__":
    measure()
