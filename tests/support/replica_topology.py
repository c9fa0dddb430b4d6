"""Three servers behind a real HAProxy, on a real PostgreSQL, a real bucket and an emulator of its own, all on loopback.

The balancer's configuration is that of ``examples/deployment``. Without SeaweedFS one folder stands for the bucket.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import httpx2

from tests.support.buckets import find_seaweed, run_seaweed
from tests.support.postgres import PostgresServer
from tests.support.postgres import find_what_is_missing as find_missing_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

HAPROXY: Final = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
HAPROXY_FILE: Final = Path(__file__).parents[2] / "examples" / "deployment" / "haproxy.cfg"
ATELIER: Final = (sys.executable, "-m", "atelier_mcp.server")
REPLICA_COUNT: Final = 3
START_BOUND_S: Final = 90.0
DRAIN_S: Final = 3


def find_what_is_missing() -> str | None:
    """What must be installed before this can be started here; None when nothing is."""
    return find_missing_postgres() or (None if HAPROXY else "haproxy is not installed")


class Replica:
    """One ``atelier serve --http`` on a port of its own, which may be ended and started again."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        self.port = find_free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._environ = environ
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, **more: str) -> None:
        """Return when it is ready; ``more`` are settings of this run."""
        environ = {**os.environ, **self._environ, **more}
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *ATELIER, "serve", "--http", "--port", str(self.port), env=environ, stderr=log
            )
        await wait_until_answered(f"{self.address}/readyz")

    async def kill(self) -> None:
        """End it as a crash would."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """Tell it to end, and return its exit code when it has."""
        return await self._end(signal.SIGTERM)

    async def close(self) -> None:
        """End it at once, if it runs."""
        if self._process is not None and self._process.returncode is None:
            await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return await self._process.wait()


class Topology:
    """All of it; ``open_topology`` makes one."""

    def __init__(self, folder: Path, postgres: PostgresServer, replicas: list[Replica]) -> None:
        self.replicas = replicas
        self.postgres = postgres
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self._folder = folder

    def read_submits(self) -> list[dict[str, Any]]:
        """What the emulator was asked to draw, one entry for each request that it answered with 200."""
        lines = (self._folder / "access.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        return [e for e in entries if e["method"] == "POST" and e["status"] == 200 and _find_prompt(e) is not None]

    def list_submitted_prompts(self) -> list[str]:
        """The prompts of those, each as often as it came in."""
        return [str(_find_prompt(entry)) for entry in self.read_submits()]

    def list_jobs(self) -> list[tuple[str, str, str]]:
        """Id, state and prompt of every job, from the ledger itself."""
        rows = self.postgres.execute("SELECT id, state, request ->> 'prompt' FROM jobs ORDER BY created_at")
        return [(str(job_id), str(state), str(prompt)) for job_id, state, prompt in rows]

    def read_logs(self) -> str:
        """What the servers said."""
        return "".join(path.read_text() for path in sorted(self._folder.glob("replica*.log")))


@asynccontextmanager
async def open_topology(*, task_s: float, signing_keys: str) -> AsyncGenerator[Topology]:
    """Everything started and ready."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atelier-replicas-")))
        folder.chmod(0o755)  # for PostgreSQL's user
        postgres = await asyncio.to_thread(PostgresServer, folder / "postgres")
        await asyncio.to_thread(postgres.start)
        stack.push_async_callback(asyncio.to_thread, postgres.close)
        exports = await stack.enter_async_context(_run_emulator(folder, task_s))
        bucket = await stack.enter_async_context(_run_bucket(folder))
        environ = {
            **exports,
            **bucket,
            "ATELIER_DATABASE_URL": postgres.build_url(),
            "ATELIER_SIGNING_KEYS": signing_keys,
            "ATELIER_DRAIN_S": str(DRAIN_S),
        }
        names = [f"replica{number + 1}" for number in range(REPLICA_COUNT)]
        homes = {name: str(folder / (name if bucket else "home")) for name in names}
        replicas = [Replica({**environ, "ATELIER_HOME": homes[name]}, folder / f"{name}.log") for name in names]
        for replica in replicas:
            stack.push_async_callback(replica.close)
        await asyncio.gather(*(replica.start() for replica in replicas))
        topology = Topology(folder, postgres, replicas)
        await stack.enter_async_context(_run_haproxy(topology.port, [replica.port for replica in replicas]))
        yield topology


@asynccontextmanager
async def _run_bucket(folder: Path) -> AsyncGenerator[dict[str, str]]:
    """What leads servers to a bucket; nothing where there is no SeaweedFS."""
    if find_seaweed() is None:
        yield {}
        return
    running = run_seaweed(folder / "seaweed")
    bucket = await asyncio.to_thread(running.__enter__)
    try:
        yield bucket.build_environment("replicas")
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


@asynccontextmanager
async def _run_emulator(folder: Path, task_s: float) -> AsyncGenerator[dict[str, str]]:
    """What leads servers to an emulator that writes ``access.jsonl``."""
    options = ["--port", "0", "--task-seconds", str(task_s), "--access-log", str(folder / "access.jsonl")]
    process = await asyncio.create_subprocess_exec(
        *ATELIER, "emulator", *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        await process.stderr.readline()  # its last word before it serves; the exports are on stdout by then
        text = (await process.stdout.read(65536)).decode()
        pairs = [line.removeprefix("export ").partition("=") for line in text.splitlines()]
        # One account, so that one server looks after all jobs.
        yield {name: value.strip("'") for name, _, value in pairs if name.startswith("MHAPI_")}
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _run_haproxy(port: int, replica_ports: list[int]) -> AsyncGenerator[None]:
    assert HAPROXY is not None
    addresses = {f"REPLICA_{number + 1}": f"127.0.0.1:{port}" for number, port in enumerate(replica_ports)}
    environ = {**os.environ, "BIND": f"127.0.0.1:{port}", **addresses}
    process = await asyncio.create_subprocess_exec(HAPROXY, "-f", str(HAPROXY_FILE), "-db", "-q", env=environ)
    try:
        await wait_until_answered(f"http://127.0.0.1:{port}/readyz")
        yield
    finally:
        process.terminate()
        await process.wait()


async def wait_until_answered(url: str) -> None:
    """Return when ``url`` is answered with 200."""
    # Without certificates, whose loading takes longer than some servers' start.
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client, asyncio.timeout(START_BOUND_S):
        while True:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.05)


def find_free_port() -> int:
    """A port that nobody listens at, and that no outgoing connection is given while its server is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener:
            if listener.connect_ex(("127.0.0.1", port)) != 0:
                return port


def _find_prompt(entry: Mapping[str, Any]) -> str | None:
    body: Any = entry["body"]
    return cast("dict[str, str]", body).get("prompt") if isinstance(body, dict) else None
