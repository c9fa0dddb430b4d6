"""Killing servers: at each numbered point, amid several jobs, and at random."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.chaos.kill_points import AT_UPSTREAM, KILL_POINTS
from tests.chaos.site import SETTLE_BOUND_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from tests.chaos.chaos_server import ChaosServer
    from tests.chaos.kill_points import KillPoint
    from tests.chaos.site import Call, ChaosSite

DIED = ("succeeded", "unconfirmed", "failed")


async def kill_at_points(site: ChaosSite, points: Iterable[KillPoint] = KILL_POINTS) -> list[str]:
    """At each point kill whoever passes it with one job; what is wrong with what becomes of that."""
    failures: list[str] = []
    for point in points:
        (call,), dead = await _die_at(site, point, count=1)
        if site.is_alone:
            await dead.start()
        ending = await _read_ending(site, point, call.prompt)
        if ending != point.ending:
            failures.append(f"point {point.number}, {point.reason}: {ending} instead of {point.ending}")
        if not site.is_alone:
            await dead.start()
    return failures


async def kill_amid_batch(site: ChaosSite, *, points: Iterable[KillPoint] = KILL_POINTS, batch: int) -> None:
    """At each point kill whoever passes it first of several jobs at once, and go on while they are taken up."""
    for point in points:
        _, dead = await _die_at(site, point, count=batch)
        await dead.start()
    await site.settle()


async def kill_at_random(site: ChaosSite, *, rounds: int, batch: int, longest_s: float, rng: Random) -> None:
    """Kill one server after another, at any moment of a few jobs at once up to ``longest_s``."""
    for _ in range(rounds):
        calls = asyncio.create_task(site.call_many(batch))
        await asyncio.sleep(rng.uniform(0.0, longest_s))
        victim = await site.choose_victim(rng)
        await site.kill(victim)
        await calls
        await victim.start()
    await site.settle()


async def _die_at(site: ChaosSite, point: KillPoint, *, count: int) -> tuple[Sequence[Call], ChaosServer]:
    """What came of so many calls of one server, and the server that has died at the point."""
    called = site.servers[point.number % len(site.servers)]
    if point.number == AT_UPSTREAM:
        site.upstream.before_answer = called.send_kill
    else:
        for server in site.servers:  # who looks after the account may be another one
            server.set_control("point", point.number)
    calls = asyncio.create_task(site.call_many(count, called))
    dead = await _wait_for_death(site)
    for server in site.servers:
        server.set_control("point", 0)
    site.kills += 1
    await site.note_promises()
    await site.look_at_files()
    return await calls, dead


async def _wait_for_death(site: ChaosSite) -> ChaosServer:
    async with asyncio.timeout(SETTLE_BOUND_S):
        while True:
            for server in site.servers:
                if not server.is_alive:
                    return server
            await asyncio.sleep(0.01)


async def _read_ending(site: ChaosSite, point: KillPoint, prompt: str) -> str:
    if point.ending == "unsent":
        job = await site.find_job(prompt)
        return job.state if job else "unsent"
    return (await site.wait_for_job(prompt, DIED)).state
