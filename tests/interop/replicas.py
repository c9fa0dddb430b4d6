"""Many servers as one: jobs of both eras of the protocol, while servers die, leave and come back.

What counts is compared at the end: the jobs that callers were promised, the submits in the emulator's log, and the jobs
in the ledger. None may be lost, and none sent twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.replica_topology import find_what_is_missing, open_topology
from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from tests.support.replica_topology import Replica, Topology

NAME: Final = "replicas"
BATCH: Final = 12
TASK_S: Final = 4.0
BOUND_S: Final = 120.0
OLD_KEY: Final = "k7Xw2Pq9Lm4Rt6Vb8Nz1Hc3Jd5Fg0Sa+"
NEW_KEY: Final = "Zy8Xv6Wu4Ts2Rq0Po9Nm7Lk5Ji3Hg1F="
FINAL_STATES: Final = ("succeeded", "failed", "cancelled", "unconfirmed")

Mode = Literal["auto", "legacy"]


class Call(NamedTuple):
    """What came of one call."""

    prompt: str
    state: str
    """That of its job, ``refused``, or ``broken`` where no answer came."""
    words: str


class Trial:
    """Calls through the balancer, with what came of each."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.calls: list[Call] = []

    async def run_batch(self, disturb: Callable[[], Awaitable[object]] | None = None) -> list[Call]:
        """So many calls at once, of both eras in turn; ``disturb`` happens when all of them have been sent on."""
        first = len(self.calls)
        prompts = [f"trial {first + number}: a red kite" for number in range(BATCH)]
        self.calls += [Call(prompt, "broken", "") for prompt in prompts]  # until they are known to be more
        modes: list[Mode] = ["auto", "legacy"]
        tasks = [asyncio.create_task(call(self.topology.url, p, modes[n % 2])) for n, p in enumerate(prompts)]
        if disturb is not None:
            await self._wait_until_sent(prompts)
            await disturb()
        self.calls[first:] = await asyncio.gather(*tasks)
        return self.calls[first:]

    async def wait_until_finished(self) -> list[tuple[str, str, str]]:
        """All jobs, when each has come to an end."""
        async with asyncio.timeout(BOUND_S):
            while True:
                jobs = await asyncio.to_thread(self.topology.list_jobs)
                if all(state in FINAL_STATES for _, state, _ in jobs):
                    return jobs
                await asyncio.sleep(0.2)

    async def _wait_until_sent(self, prompts: list[str]) -> None:
        """Each has the upstream's answer in the ledger: what is killed amid a submit is unconfirmed, and not lost."""
        async with asyncio.timeout(BOUND_S):
            while True:
                jobs = await asyncio.to_thread(self.topology.list_jobs)
                if {prompt for _, state, prompt in jobs if state != "submitting"} >= set(prompts):
                    return
                await asyncio.sleep(0.05)


async def call(url: str, prompt: str, mode: Mode) -> Call:
    """One picture by a client of its own: a connection that ends without an answer breaks the SDK's."""
    try:
        async with open_client(url, mode) as client:
            arguments = {"prompt": prompt, "width": 640, "height": 640, "wait_s": 40}
            result = await client.call_tool("generate_image", arguments)
    except Exception as error:  # noqa: BLE001  # however a client puts it
        return Call(prompt, "broken", repr(error))
    state = "refused" if result.is_error else get_structured(result)["state"]
    return Call(prompt, state, get_text(result))


@asynccontextmanager
async def open_client(url: str, mode: Mode) -> AsyncGenerator[Client]:
    """A client that waits longer than a call does."""
    async with (
        httpx2.AsyncClient(timeout=90, trust_env=False) as http_client,
        Client(streamable_http_client(url, http_client=http_client), mode=mode) as client,
    ):
        yield client


async def try_replicas() -> AsyncGenerator[tuple[str, str]]:
    """What was tried and what failed, which is empty where nothing did."""
    if missing := find_what_is_missing():
        print(f"skipped: {missing}", flush=True)
        return
    async with open_topology(task_s=TASK_S, signing_keys=OLD_KEY) as topology:
        trial = Trial(topology)
        first, second, third = topology.replicas
        calls = await trial.run_batch()
        yield "no faults", _list_unlike(calls, "succeeded")

        calls = await trial.run_batch(first.kill)
        await first.start()
        yield "kill -9", _list_unlike(calls, "succeeded", "broken")

        calls = await trial.run_batch(second.terminate)
        await second.start()
        # Those at the replica that leaves have their jobs' handles; nobody is left without an answer.
        yield "SIGTERM", _list_unlike(calls, "succeeded", "running", "queued", "saving")

        calls = await trial.run_batch(lambda: restart_postgres(topology))
        yield "PostgreSQL restarted", _list_unlike(calls, "succeeded")

        await restart_with_keys(topology.replicas, f"{OLD_KEY},{NEW_KEY}")
        calls = await trial.run_batch(lambda: restart_with_keys([third], f"{NEW_KEY},{OLD_KEY}"))
        await restart_with_keys([first, second], f"{NEW_KEY},{OLD_KEY}")
        yield "keys rotated", _list_unlike(calls, "succeeded", "running", "queued", "saving")

        yield "counts", await count(trial)


async def restart_postgres(topology: Topology) -> None:
    """As after a crash."""
    await asyncio.to_thread(topology.postgres.kill)
    await asyncio.to_thread(topology.postgres.start)


async def restart_with_keys(replicas: list[Replica], signing_keys: str) -> None:
    """One after the other, as an upgrade goes."""
    for replica in replicas:
        await replica.terminate()
        await replica.start(ATELIER_SIGNING_KEYS=signing_keys)


async def count(trial: Trial) -> str:
    """The books, printed; what is wrong with them is returned."""
    jobs = await trial.wait_until_finished()
    submits = Counter(trial.topology.list_submitted_prompts())
    states = Counter(state for _, state, _ in jobs)
    succeeded = {prompt for _, state, prompt in jobs if state == "succeeded"}
    lost = [call.prompt for call in trial.calls if call.state != "refused" and call.prompt not in succeeded]
    doubled = [prompt for prompt, number in submits.items() if number > 1]
    answers = Counter(call.state for call in trial.calls)
    print(
        f"{len(trial.calls)} calls ({', '.join(f'{number} {state}' for state, number in sorted(answers.items()))}); "
        f"accepted {len(jobs)}, submits {submits.total()}, finished {len(succeeded)}; "
        f"lost {len(lost)}, doubled {len(doubled)}",
        flush=True,
    )
    failures = [f"lost: {lost}" if lost else "", f"doubled: {doubled}" if doubled else ""]
    if not len(jobs) == submits.total() == len(succeeded):
        failures.append(f"jobs: {dict(states)}, submits: {submits.total()}")
    return "; ".join(failure for failure in failures if failure)


def _list_unlike(calls: list[Call], *states: str) -> str:
    """The calls that ended otherwise."""
    return "; ".join(f"{one.state}: {one.words[:200]}" for one in calls if one.state not in states)
