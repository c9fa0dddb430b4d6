"""When a replica is to be given requests, and how it leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
from mcp import Client

from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.app import create_web_app
from tests.support.asgi_lifespan import start_app
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    import pytest

    from tests.support.emulator_harness import FakeEngine
    from tests.support.postgres import PostgresServer

    Environ = dict[str, str]

BOUND_S = 60


async def test_a_replica_is_ready_while_its_ledger_answers(
    environ: Environ, own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never did must not be given requests; a restart of the database passes unseen."""
    monkeypatch.setattr("atelier_mcp.server.web.health.LEDGER_BOUND_S", 10.0)
    settings = load_settings({**environ, "ATELIER_DATABASE_URL": own_postgres.create_ledger_url()})
    app = create_web_app(settings, host="127.0.0.1")
    transport = httpx2.ASGITransport(app)
    async with start_app(app), httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.9") as prober:
        assert (await prober.get("/readyz")).status_code == 200
        await asyncio.to_thread(own_postgres.kill)
        monkeypatch.setattr("atelier_mcp.server.web.health.LEDGER_BOUND_S", 0.2)
        assert (await prober.get("/readyz")).status_code == 200
        monkeypatch.setattr("atelier_mcp.server.web.health.LEDGER_PATIENCE_S", 0.0)
        refused = await prober.get("/readyz")
        assert (refused.status_code, refused.json()) == (503, {"status": "the ledger does not answer"})
        assert (await prober.get("/healthz")).status_code == 200
        await asyncio.to_thread(own_postgres.start)
        monkeypatch.setattr("atelier_mcp.server.web.health.LEDGER_BOUND_S", 10.0)
        assert (await prober.get("/readyz")).status_code == 200


async def test_a_replica_that_is_told_to_end_is_not_ready_and_answers_those_who_wait(
    environ: Environ, engine: FakeEngine
) -> None:
    """With their jobs' ids: the jobs go on elsewhere."""
    engine.answer_gate.clear()
    environment = {**os.environ, **environ, "ATELIER_DRAIN_S": "20"}
    command = [sys.executable, "-m", "atelier_mcp.server", "serve", "--http", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = await asyncio.to_thread(server.stderr.readline)
        address = line.rpartition(" ")[2].strip()
        try:
            async with (
                Client(address) as client,
                httpx2.AsyncClient(base_url=address.removesuffix("/mcp")) as prober,
                asyncio.timeout(BOUND_S),
            ):
                drawing = asyncio.create_task(client.call_tool("generate_image", {"prompt": "a red kite"}))
                while not get_structured(await client.call_tool("list_jobs", {}))["jobs"]:
                    await asyncio.sleep(0.05)
                server.send_signal(signal.SIGTERM)
                assert get_structured(await drawing)["state"] != "succeeded"
                refused = await prober.get("/readyz")
                assert (refused.status_code, refused.json()) == (503, {"status": "stopping"})
                assert (await prober.get("/healthz")).status_code == 200
        finally:
            engine.answer_gate.set()
            server.send_signal(signal.SIGTERM)  # told again, it ends at once
        assert await asyncio.to_thread(server.wait, BOUND_S) is not None
