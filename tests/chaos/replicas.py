"""Three servers on one PostgreSQL and one bucket; each reaches the database over a wire of its own."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import obstore

from atelier_mcp.server.images.bucket_access import open_bucket
from tests.chaos.chaos_server import ChaosServer
from tests.chaos.site import SETTLE_BOUND_S, ChaosSite
from tests.chaos.upstream import open_upstream
from tests.support.faulty_bucket import open_faulty_bucket
from tests.support.network_cut import open_network_cut
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
    from random import Random

    from tests.chaos.server_forks import ServerForks
    from tests.support.buckets import BucketService
    from tests.support.faulty_bucket import FaultyBucket
    from tests.support.network_cut import NetworkCut

REPLICA_COUNT: Final = 3
FOLDER: Final = "chaos"
SIGNING_KEY: Final = "k7Xw2Pq9Lm4Rt6Vb8Nz1Hc3Jd5Fg0Sa+"
ORPHAN_AGE_S: Final = 3.0
"""For the product's own six minutes, which nobody waits for here."""
TASK_S: Final = 1.5
OWNER: Final = r"""
SELECT client_port, epoch FROM owners
JOIN pg_stat_activity ON application_name = 'atelier session ' || process
JOIN pg_locks ON pg_locks.pid = pg_stat_activity.pid AND locktype = 'advisory' AND granted
AND lpad(to_hex(classid::bigint), 8, '0')
    = encode(substr(sha256(convert_to(
        concat_ws(E'\n', 'atelier', current_schema(), 'account', account), 'UTF8')), 1, 4), 'hex')"""
"""Who holds the lock of the account, which only then has an owner: whoever had it last is written down for good."""


class BucketFiles:
    """The pictures of a bucket."""

    def __init__(self, service: BucketService) -> None:
        self._objects = open_bucket(service.build_access(FOLDER))

    async def read(self) -> Mapping[str, bytes]:
        """Every picture and record by its name."""
        records = [key for key in await self._list_keys() if key.endswith(".json")]
        pictures = [key for key in await self._list_keys() if not key.endswith(".json")]
        return {key.rpartition("/")[2]: await self._read(key) for key in (*records, *pictures)}

    async def _list_keys(self) -> list[str]:
        pages = obstore.list(self._objects, f"{FOLDER}/images/")  # pyright: ignore[reportUnknownMemberType]  # arro3
        return [str(entry["path"]) async for page in pages for entry in page]

    async def _read(self, key: str) -> bytes:
        answer = await obstore.get_async(self._objects, key)
        return bytes(await answer.bytes_async())


class Replicas(ChaosSite):
    """The site, with what stands between its parts."""

    def __init__(
        self,
        *args: Any,
        postgres: PostgresServer,
        wires: Sequence[NetworkCut],
        bucket: FaultyBucket,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.postgres: PostgresServer = postgres
        self.wires: Sequence[NetworkCut] = wires
        self.bucket: FaultyBucket = bucket

    async def choose_victim(self, rng: Random) -> ChaosServer:
        """Any server, and as often whoever looks after the account."""
        number, owner = rng.randrange(REPLICA_COUNT), await self._find_owner()
        return self.servers[number if owner is None else rng.choice([owner[0], number])]

    async def wait_for_owner(self) -> tuple[int, int]:
        """The number of the server that looks after the account, from 0, and how often that has changed."""
        async with asyncio.timeout(SETTLE_BOUND_S):
            while (owner := await self._find_owner()) is None:
                await asyncio.sleep(0.05)
        return owner

    async def read_epoch(self) -> int:
        """How often the account has changed hands."""
        ((epoch,),) = await asyncio.to_thread(self.postgres.execute, "SELECT coalesce(max(epoch), 0) FROM owners")
        return int(epoch)

    async def _find_owner(self) -> tuple[int, int] | None:
        for port, epoch in await asyncio.to_thread(self.postgres.execute, OWNER):
            for number, wire in enumerate(self.wires):
                if port in wire.server_side_ports:
                    return number, int(epoch)
        return None


@asynccontextmanager
async def open_replicas(forks: ServerForks, service: BucketService) -> AsyncGenerator[Replicas]:
    """Everything started, and one picture made."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atelier-chaos-")))
        folder.chmod(0o755)  # for PostgreSQL's user
        postgres = await asyncio.to_thread(PostgresServer, folder / "postgres")
        await asyncio.to_thread(postgres.start)
        stack.push_async_callback(asyncio.to_thread, postgres.close)
        bucket = await stack.enter_async_context(open_faulty_bucket(service))
        upstream = await stack.enter_async_context(open_upstream(folder, task_s=TASK_S))
        environ = {
            **upstream.environ,
            **bucket.service.build_environment(FOLDER),
            "ATELIER_SIGNING_KEYS": SIGNING_KEY,
        }
        servers: list[ChaosServer] = []
        wires: list[NetworkCut] = []
        homes = [folder / f"replica{number}" for number in range(REPLICA_COUNT)]
        for home in homes:
            wire = await stack.enter_async_context(open_network_cut(postgres.port))
            url = postgres.build_url().replace(f":{postgres.port}/", f":{wire.port}/")
            own = {"ATELIER_HOME": str(home), "ATELIER_DATABASE_URL": url}
            server = ChaosServer(forks, home.with_suffix(".told"), environ | own, orphan_age_s=ORPHAN_AGE_S)
            stack.push_async_callback(server.kill)
            servers.append(server)
            wires.append(wire)
        site = Replicas(
            upstream,
            servers,
            ledger=postgres.build_url(),
            pictures=BucketFiles(service),
            audit_logs=[home / "audit.jsonl" for home in homes],
            postgres=postgres,
            wires=wires,
            bucket=bucket,
        )
        await asyncio.gather(*(server.start() for server in servers))
        await site.learn_durations()
        yield site


async def restart_postgres(site: Replicas, *, rounds: int, batch: int, rng: Random) -> None:
    """Kill the database amid jobs, and start it again; what is asked for meanwhile is refused or done."""
    for _ in range(rounds):
        calls = asyncio.create_task(site.call_many(batch))
        await asyncio.sleep(rng.uniform(0.0, 2.0))
        await site.note_promises()
        await asyncio.to_thread(site.postgres.kill)
        site.kills += 1
        meanwhile = await site.call_many(2)
        await asyncio.to_thread(site.postgres.start)
        await calls
        assert all(call.outcome != "accepted" for call in meanwhile), meanwhile
        await site.settle()


async def cut_owner_off(site: Replicas, *, rounds: int, batch: int) -> list[str]:
    """Cut the wire of whoever looks after the account; another one takes over, and the first one comes back late."""

    async def cut(owner: int) -> None:
        site.wires[owner].cut()

    async def mend(owner: int) -> None:
        site.wires[owner].mend()

    return await _take_owner_out(site, cut, mend, rounds=rounds, batch=batch)


async def pause_owner(site: Replicas, *, rounds: int, batch: int) -> list[str]:
    """Stop the process of whoever looks after the account, whose sessions the database then ends."""

    async def pause(owner: int) -> None:
        site.servers[owner].send(signal.SIGSTOP)
        site.wires[owner].cut()

    async def resume(owner: int) -> None:
        site.wires[owner].mend()
        site.servers[owner].send(signal.SIGCONT)

    return await _take_owner_out(site, pause, resume, rounds=rounds, batch=batch)


async def cut_sender_off(site: Replicas, *, rounds: int) -> None:
    """Cut the wire of who has sent a submit and waits for the answer: others take it for dead until it says otherwise.

    What was given up as ``unconfirmed`` is finished after all, since its sender lives and knows the task.
    """
    for number in range(rounds):
        wire, sender = site.wires[number % REPLICA_COUNT], site.servers[number % REPLICA_COUNT]
        site.upstream.before_answer = wire.cut
        prompt = site.next_prompt
        call = asyncio.create_task(site.call(sender))
        site.faults += 1
        await site.wait_for_job(prompt, ("unconfirmed",))
        wire.mend()
        await site.wait_for_job(prompt, ("succeeded",))
        await call


async def fail_half_of_writes(site: Replicas, *, batch: int, rng: Random) -> None:
    """The bucket refuses one write in four, and does one in four without saying so."""

    def decide(method: str, _path: str) -> Any:
        outcome = rng.choice(["refuse", "lose", "pass", "pass"]) if method == "PUT" else "pass"
        site.faults += outcome != "pass"
        return outcome

    before, site.bucket.decide = site.faults, decide
    while site.faults == before:
        await site.call_many(batch)
        await site.settle()
    site.bucket.decide = lambda _method, _path: "pass"


async def _take_owner_out(
    site: Replicas,
    take_out: Callable[[int], Awaitable[None]],
    bring_back: Callable[[int], Awaitable[None]],
    *,
    rounds: int,
    batch: int,
) -> list[str]:
    failures: list[str] = []
    for _ in range(rounds):
        await site.call_many(batch)
        owner, epoch = await site.wait_for_owner()
        await take_out(owner)
        site.faults += 1
        others = [server for server in site.servers if server is not site.servers[owner]]
        hanging = asyncio.create_task(site.call(site.servers[owner]))
        for number in range(batch):
            await site.call(others[number % len(others)])
        await site.settle()
        if await site.read_epoch() == epoch:
            failures.append("nobody took over")
        await bring_back(owner)
        await hanging
        await site.settle()
    return failures
