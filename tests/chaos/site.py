"""Servers that may die at any moment, the service that they pay, and where they keep what must not be lost."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import httpx2

from atelier_mcp.server.jobs.budget_day import to_utc_day
from atelier_mcp.server.tool_result import FACTS_KEY
from tests.chaos.books import (
    CONFIRMED,
    UNFINISHED,
    Books,
    count_spent_on,
    count_strays,
    list_half_pictures,
    read_audit_lines,
    read_jobs,
)
from tests.support.http_service import build_modern_call
from tests.support.ledger_places import execute_behind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from random import Random

    from tests.chaos.books import JobRow
    from tests.chaos.chaos_server import ChaosServer
    from tests.chaos.upstream import Upstream

SETTLE_BOUND_S: Final = 240.0
"""Picture after picture that cannot be written is tried again later and later."""
CALL_TIMEOUT_S: Final = 60.0
LEFT: Final = 3
"""Pictures in the budget that are raced for."""


class Call(NamedTuple):
    """What came of asking for one picture."""

    prompt: str
    outcome: str
    """``accepted``, ``refused``, or ``broken`` where no answer came."""
    job_id: str = ""
    state: str = ""
    words: str = ""


class PictureFiles(Protocol):
    """Where stored pictures are read, behind the servers' backs."""

    async def read(self) -> Mapping[str, bytes]:
        """Every picture and record by its name; a record's picture is looked for later than the record."""
        ...


class ChaosSite:
    """What a scenario works on, and what it has done so far."""

    def __init__(
        self,
        upstream: Upstream,
        servers: Sequence[ChaosServer],
        *,
        ledger: str,
        pictures: PictureFiles,
        audit_logs: Sequence[Path],
    ) -> None:
        """``ledger`` is a file's path or a PostgreSQL's URL."""
        self.upstream: Upstream = upstream
        self.servers: Sequence[ChaosServer] = servers
        self.ledger: str = ledger
        self.kills: int = 0
        self.faults: int = 0
        self.calls: list[Call] = []
        self._pictures = pictures
        self._audit_logs = audit_logs
        self._promised_ids: set[str] = set()
        self._half: set[str] = set()
        self._turn = 0

    @property
    def server(self) -> ChaosServer:
        """The first server, where there is but one."""
        return self.servers[0]

    @property
    def next_prompt(self) -> str:
        """What the next call will ask for."""
        return f"picture {len(self.calls)}: a red kite"

    @property
    def is_alone(self) -> bool:
        """Whether nobody can go on with what a dead server has left, until it starts again."""
        return len(self.servers) == 1

    async def choose_victim(self, rng: Random) -> ChaosServer:
        """Whom to kill next."""
        return rng.choice(self.servers)

    async def call(self, server: ChaosServer | None = None, *, wait_s: int = 0) -> Call:
        """Ask for one more picture, of a server or of the next one that is there."""
        number, prompt = len(self.calls), self.next_prompt
        self.calls.append(Call(prompt, "broken"))  # until it is known to be more
        target = server or self._choose_server()
        result = await _ask(target.address, prompt, wait_s)
        if result.state in CONFIRMED:
            self._promised_ids.add(result.job_id)
        self.calls[number] = result
        return result

    async def call_many(self, count: int, server: ChaosServer | None = None, *, wait_s: int = 0) -> list[Call]:
        """So many at once."""
        return list(await asyncio.gather(*(self.call(server, wait_s=wait_s) for _ in range(count))))

    async def kill(self, server: ChaosServer) -> None:
        """As a crash would. What was confirmed by then has to come to a good end."""
        await self.note_promises()
        await server.kill()
        self.kills += 1
        await self.look_at_files()

    async def note_promises(self) -> None:
        """Remember which jobs are confirmed by now."""
        self._promised_ids |= {job.id for job in await self.read_jobs() if job.state in CONFIRMED}

    async def look_at_files(self) -> None:
        """Remember what can be seen by now that is not whole, although it may become so later."""
        self._half |= set(list_half_pictures(await self._pictures.read()))

    async def read_jobs(self) -> list[JobRow]:
        """The ledger."""
        return await asyncio.to_thread(read_jobs, self.ledger)

    async def find_job(self, prompt: str) -> JobRow | None:
        """The job of a prompt; None where none was written down."""
        return next((job for job in await self.read_jobs() if job.prompt == prompt), None)

    async def wait_for_job(self, prompt: str, states: Iterable[str]) -> JobRow:
        """The job of a prompt, once it is in one of the states."""
        wanted = set(states)
        job: JobRow | None = None
        async with _bound(lambda: f"{prompt} is {job}, not {sorted(wanted)}\n{self._read_logs()}"):
            while True:
                job = await self.find_job(prompt)
                if job is not None and job.state in wanted:
                    return job
                await asyncio.sleep(0.05)

    async def settle(self) -> None:
        """Return when every job has come to an end."""
        open_jobs: list[JobRow] = []
        async with _bound(lambda: f"never ended: {open_jobs}\n{self._read_logs()}"):
            while open_jobs := [job for job in await self.read_jobs() if job.state in UNFINISHED]:
                await self.note_promises()
                await asyncio.sleep(0.1)

    async def race_for_the_last(self) -> list[str]:
        """Leave room for a few pictures in the day's budget and ask for more at once; what is wrong with the grants.

        The last thing that is done at a site: nothing more is granted afterwards.
        """
        await self.settle()
        spent = await asyncio.to_thread(count_spent_on, self.ledger, to_utc_day(datetime.now(UTC)))
        for server in self.servers:
            await self.kill(server)
            server.set(ATELIER_BUDGET_PER_DAY=str(spent + LEFT))
        await asyncio.gather(*(server.start() for server in self.servers))
        calls = await self.call_many(LEFT + 3)
        await self.settle()
        granted = [call for call in calls if call.outcome == "accepted"]
        return [] if len(granted) == LEFT else [f"{LEFT} pictures were left, and {len(granted)} granted: {calls}"]

    async def audit(self) -> Books:
        """The verdict on everything so far."""
        books = await self._read_books()
        # Until nothing has happened meanwhile: a call that hung may be written down after all others have ended.
        while books.jobs != await self.read_jobs():
            books = await self._read_books()
        books.check()
        books.half += sorted(self._half - set(books.half))
        if strays := await asyncio.to_thread(count_strays, self.ledger):
            books.wrong.append(f"{strays} rows of jobs or of spending are without the other")
        return books

    async def _read_books(self) -> Books:
        await self.settle()
        return Books(
            submits=self.upstream.count_submits(),
            jobs=await self.read_jobs(),
            audit_lines=await asyncio.to_thread(read_audit_lines, self.ledger, self._audit_logs),
            files=await self._pictures.read(),
            promised_ids=self._promised_ids,
        )

    async def learn_durations(self) -> None:
        """Make one picture, and let servers poll as they do where such jobs are known to be quick."""
        first = await self.call(wait_s=20)
        assert first.outcome == "accepted", first
        await self.settle()
        if not self.ledger.startswith("/proc/"):
            await asyncio.to_thread(execute_behind, self.ledger, "UPDATE durations SET samples_s = '[0.2, 0.2, 0.2]'")

    def _choose_server(self) -> ChaosServer:
        """The next one in turn that is alive."""
        for _ in self.servers:
            self._turn += 1
            server = self.servers[self._turn % len(self.servers)]
            if server.is_alive:
                return server
        return self.server

    def _read_logs(self) -> str:
        return "\n".join(server.read_log()[-3000:] for server in self.servers)


async def _ask(address: str, prompt: str, wait_s: int) -> Call:
    arguments = {"prompt": prompt, "width": 640, "height": 640, "wait_s": wait_s}
    body, headers = build_modern_call("generate_image", **arguments)
    headers |= {"accept": "application/json, text/event-stream"}
    try:
        # Without certificates: to load them takes longer than the call.
        async with httpx2.AsyncClient(timeout=CALL_TIMEOUT_S, trust_env=False, verify=False) as client:
            response = await client.post(f"{address}/mcp", json=body, headers=headers)
    except httpx2.HTTPError as err:
        return Call(prompt, "broken", words=repr(err))
    result = _read_result(response)
    if result is None:
        return Call(prompt, "broken", words=response.text[:300])
    words = "\n".join(block.get("text", "") for block in result["content"])
    if result.get("isError"):
        return Call(prompt, "refused", words=words)
    facts = result.get("structuredContent") or result["_meta"][FACTS_KEY]
    return Call(prompt, "accepted", facts["job_id"], facts["state"], words)


def _read_result(response: httpx2.Response) -> dict[str, Any] | None:
    """The result of a call; None where the answer broke off."""
    lines = response.text.splitlines()
    data = [line.removeprefix("data:") for line in lines if line.startswith("data:")] or [response.text]
    try:
        return json.loads(data[-1]).get("result")
    except ValueError:
        return None


@asynccontextmanager
async def _bound(describe: Callable[[], str]) -> AsyncGenerator[None]:
    """Fail in words after ``SETTLE_BOUND_S``."""
    started_s = time.monotonic()
    try:
        async with asyncio.timeout(SETTLE_BOUND_S):
            yield
    except TimeoutError:
        raise AssertionError(f"after {time.monotonic() - started_s:.0f} s {describe()}") from None
