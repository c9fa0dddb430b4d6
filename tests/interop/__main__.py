"""Public clients against the real server: ``python -m tests.interop [CLIENT ...]``, all of them by default.

Each has an environment of its own, made by ``uv`` or ``npm`` on first use and kept in the user's cache. Through each
one, over stdio and over HTTP: the tools are listed, a picture is made and arrives, a refusal's words arrive, and a
nested argument is passed. Clients of the services themselves are tried against the emulator (``services``), and
``hosts`` are those that ``atelier setup`` writes files for, by their own programs or beside another installer;
``replicas`` are three servers behind a balancer, where HAProxy is installed, and ``kubernetes`` is the manifest of the
examples against its schema; ``linters`` read the workflows, issue forms, compose files, Dockerfile and bundle;
``conformance`` and ``inspector`` are the protocol's own programs. Exit 1 where one of them fails; one that cannot be
installed is named and counts, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.interop.environments import CLIENTS, InstallError, find_packages, prepare
from tests.interop.hosts import try_hosts
from tests.interop.installers import try_installer
from tests.interop.linters import NAME as LINTERS
from tests.interop.linters import try_linters
from tests.interop.manifests import NAME as KUBERNETES
from tests.interop.manifests import try_manifest
from tests.interop.official import PACKAGES, try_official
from tests.interop.replicas import NAME as REPLICAS
from tests.interop.replicas import try_replicas
from tests.interop.services import SERVICE_CLIENTS, try_service_client

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

    from tests.interop.environments import InteropClient

SCRIPTS: Final = Path(__file__).parent / "clients"
SERVE: Final = [sys.executable, "-m", "atelier_mcp.server", "serve"]
HOSTS: Final = "hosts"
"""The hosts' own programs, which read what ``atelier setup`` writes."""
CLIENT_TIMEOUT_S: Final = 300.0
MIN_TOOLS: Final = 15


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one client over one transport."""

    client: str
    transport: str
    failures: tuple[str, ...]

    def __str__(self) -> str:
        """One line."""
        return (
            f"{'FAIL' if self.failures else 'ok  '} {self.client:<18} {self.transport:<20} {'; '.join(self.failures)}"
        )


async def main(names: list[str]) -> int:
    """Try the clients one after the other; returns the exit code."""
    all_names = [HOSTS, REPLICAS, KUBERNETES, LINTERS, *PACKAGES, *CLIENTS, *SERVICE_CLIENTS]
    unknown = sorted(set(names) - set(all_names))
    if unknown:
        print(f"There is no client {unknown[0]}; there are {', '.join(all_names)}.", file=sys.stderr)
        return 2
    outcomes: list[Outcome] = []
    for name in names or all_names:
        async for outcome in _try(name):
            print(outcome, flush=True)
            outcomes.append(outcome)
    return 1 if any(outcome.failures for outcome in outcomes) else 0


async def _try(name: str) -> AsyncGenerator[Outcome]:
    """One of the names that can be asked for."""
    if name in (HOSTS, LINTERS):
        for outcome in _try_hosts() if name == HOSTS else _try_linters():
            yield outcome
        return
    if name == REPLICAS:
        async for what, failure in try_replicas():
            yield Outcome(name, what, (failure,) if failure else ())
        return
    if name == KUBERNETES:
        yield await _try_kubernetes()
        return
    if name in PACKAGES:
        async for outcome in _try_official(name):
            yield outcome
        return
    async for outcome in _try_service(name) if name in SERVICE_CLIENTS else _try_client(name, CLIENTS[name]):
        yield outcome


async def _try_kubernetes() -> Outcome:
    try:
        failure = await try_manifest()
    except InstallError as err:
        failure = str(err)
    return Outcome(KUBERNETES, "manifest", (failure,) if failure else ())


def _try_hosts() -> Iterator[Outcome]:
    for host, failure in try_hosts():
        yield Outcome(host, "setup", (failure,) if failure else ())
    for host, failure in try_installer():
        yield Outcome(host, "beside an installer", (failure,) if failure else ())


def _try_linters() -> Iterator[Outcome]:
    try:
        for what, failure in try_linters():
            yield Outcome(LINTERS, what, (failure,) if failure else ())
    except InstallError as err:
        yield Outcome(LINTERS, "", (str(err),))


async def _try_client(name: str, client: InteropClient) -> AsyncGenerator[Outcome]:
    try:
        interpreter = await asyncio.to_thread(prepare, name, client)
    except InstallError as err:
        yield Outcome(name, "", (str(err),))
        return
    script = [interpreter, str(SCRIPTS / client.script)]
    with tempfile.TemporaryDirectory() as home:
        server_environ = {**os.environ, "ATELIER_HOME": home}
        environ = _build_environ(server_environ, find_packages(name))
        yield Outcome(name, "stdio", await _run_script(script, environ))
        async with _serve_http(server_environ) as url:
            yield Outcome(name, "http", await _run_script(script, {**environ, "INTEROP_URL": url}))


async def _try_official(name: str) -> AsyncGenerator[Outcome]:
    """A program of the protocol's own."""
    with tempfile.TemporaryDirectory() as home:
        async with _serve_http({**os.environ, "ATELIER_HOME": home}) as url:
            try:
                for what, failure in await try_official(name, url):
                    yield Outcome(name, what, (failure,) if failure else ())
            except InstallError as err:
                yield Outcome(name, "", (str(err),))


async def _try_service(name: str) -> AsyncGenerator[Outcome]:
    """A client of a service itself, which the emulator plays."""
    try:
        yield Outcome(name, "wire", await try_service_client(name))
    except InstallError as err:
        yield Outcome(name, "", (str(err),))


def _build_environ(server_environ: Mapping[str, str], packages: Path) -> dict[str, str]:
    """A client's environment; the server's own goes with it as a value, for the client runs another Python."""
    own = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return {
        **own,
        "INTEROP_COMMAND": json.dumps(SERVE),
        "INTEROP_ENVIRON": json.dumps(dict(server_environ)),
        "INTEROP_PACKAGES": str(packages),
    }


@asynccontextmanager
async def _serve_http(environ: Mapping[str, str]) -> AsyncGenerator[str]:
    """The address of a server on a free loopback port."""
    process = await asyncio.create_subprocess_exec(
        *SERVE, "--http", "--port", "0", env=dict(environ), stderr=asyncio.subprocess.PIPE
    )
    if process.stderr is None:
        raise RuntimeError("the server has no stderr")
    try:
        line = (await process.stderr.readline()).decode()
        yield line.split()[-1]
    finally:
        process.terminate()
        await process.communicate()


async def _run_script(script: list[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """What failed; empty where all went well."""
    process = await asyncio.create_subprocess_exec(
        *script, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(CLIENT_TIMEOUT_S):
            stdout, stderr = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return (f"did not end within {CLIENT_TIMEOUT_S:.0f} s",)
    found = [line.removeprefix("INTEROP ") for line in stdout.decode().splitlines() if line.startswith("INTEROP ")]
    if not found:
        return (f"broke off: {' | '.join(stderr.decode(errors='replace').splitlines()[-3:])}",)
    return tuple(_list_failures(json.loads(found[-1])))


def _list_failures(report: dict[str, Any]) -> list[str]:
    failures: list[str] = []
    if report["tools"] < MIN_TOOLS:
        failures.append(f"lists {report['tools']} tools")
    if not report["picture"]:
        failures.append(f"no picture: {report['texts'][0]!r}")
    if not report["nested"]:
        failures.append(f"nested argument: {report['texts'][1]!r}")
    if not report["error"]:
        failures.append(f"error's words: {report['texts'][2]!r}")
    return failures


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
