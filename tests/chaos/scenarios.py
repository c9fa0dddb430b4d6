"""What ``make chaos`` runs: every scenario at length, each at a site of its own."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, TypeAlias

from tests.chaos import kills, one_process, replicas, spoilt_surroundings
from tests.support.buckets import find_seaweed, run_moto, run_seaweed
from tests.support.postgres import find_what_is_missing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from tests.chaos.books import Books
    from tests.chaos.replicas import Replicas
    from tests.chaos.server_forks import ServerForks
    from tests.chaos.site import ChaosSite

    Run: TypeAlias = Callable[[ChaosSite, Random], Awaitable[list[str] | None]]
    RunReplicas: TypeAlias = Callable[[Replicas, Random], Awaitable[list[str] | None]]

BATCH: Final = 6


@dataclass(frozen=True)
class Scenario:
    """One line of the table."""

    name: str
    run: Run


@dataclass(frozen=True)
class ReplicaScenario:
    """The same with three servers."""

    name: str
    run: RunReplicas
    orphan_age_s: float | None = replicas.ORPHAN_AGE_S


@dataclass
class Outcome:
    """What came of a scenario."""

    name: str
    kills: int = 0
    faults: int = 0
    seconds: float = 0.0
    books: Books | None = None
    failures: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class DiskScenario:
    """One with a data folder that goes bad."""

    name: str
    kind: str
    """A class of ``tests.support.bad_disks``."""
    rounds: int


ONE_PROCESS: Final[Sequence[Scenario]] = (
    Scenario("killed at each point", lambda site, _: kills.kill_at_points(site)),
    Scenario("killed at each point amid six jobs", lambda site, _: kills.kill_amid_batch(site, batch=BATCH)),
    Scenario(
        "killed at random",
        lambda site, rng: kills.kill_at_random(site, rounds=40, batch=BATCH, longest_s=2.5, rng=rng),
    ),
    Scenario("answers lost after accepting", lambda site, _: spoilt_surroundings.lose_answers(site, rounds=6)),
    Scenario("half of the writes fail", lambda site, _: spoilt_surroundings.fail_half_of_writes(site, batch=12)),
    Scenario("ledger older and newer", lambda site, _: spoilt_surroundings.change_ledger(site)),
    Scenario("clock leaps an hour", lambda site, _: spoilt_surroundings.leap(site, rounds=6)),
)
DISKS: Final[Sequence[DiskScenario]] = (
    DiskScenario("disk full", "FullDisk", rounds=4),
    DiskScenario("folder read-only", "ReadOnlyFolders", rounds=4),
)
REPLICAS: Final[Sequence[ReplicaScenario]] = (
    ReplicaScenario("three: one killed at each point", lambda site, _: kills.kill_at_points(site)),
    ReplicaScenario(
        "three: one killed at random",
        lambda site, rng: kills.kill_at_random(site, rounds=30, batch=BATCH, longest_s=3.0, rng=rng),
    ),
    ReplicaScenario(
        "three: PostgreSQL killed", lambda site, rng: replicas.restart_postgres(site, rounds=8, batch=BATCH, rng=rng)
    ),
    ReplicaScenario("three: owner cut off", lambda site, _: replicas.cut_owner_off(site, rounds=6, batch=4)),
    ReplicaScenario("three: owner stopped", lambda site, _: replicas.pause_owner(site, rounds=6, batch=4)),
    ReplicaScenario("three: sender cut off", lambda site, _: replicas.cut_sender_off(site, rounds=6)),
    ReplicaScenario(
        "three: half of the writes fail", lambda site, rng: replicas.fail_half_of_writes(site, batch=20, rng=rng)
    ),
)


async def run_all(forks: ServerForks, seed: int, wanted: str) -> AsyncGenerator[Outcome]:
    """Every scenario in whose name ``wanted`` is, one after the other; the same ``seed`` kills at the same moments."""
    for scenario in ONE_PROCESS:
        if wanted in scenario.name:
            outcome = Outcome(scenario.name)
            async with _open_folder() as folder, one_process.open_site(forks, folder) as site:
                await _run(outcome, site, scenario.run(site, Random(f"{seed} {scenario.name}")), is_raced=True)
            yield outcome
    for disk in DISKS:
        if wanted in disk.name and sys.platform == "linux":
            outcome = Outcome(disk.name)
            await _run_disk(outcome, forks, disk)
            yield outcome
    if any(wanted in scenario.name for scenario in REPLICAS):
        async for outcome in _run_replicas(forks, seed, wanted):
            yield outcome


async def _run_replicas(forks: ServerForks, seed: int, wanted: str) -> AsyncGenerator[Outcome]:
    if missing := find_what_is_missing():
        yield Outcome("three servers", failures=[f"not tried: {missing}"])
        return
    for scenario in REPLICAS:
        if wanted in scenario.name:
            outcome = Outcome(scenario.name)
            async with AsyncExitStack() as stack:
                folder = await stack.enter_async_context(_open_folder())
                bucket = stack.enter_context(run_seaweed(folder / "seaweed") if find_seaweed() else run_moto())
                opening = replicas.open_replicas(forks, bucket, orphan_age_s=scenario.orphan_age_s)
                site = await stack.enter_async_context(opening)
                await _run(outcome, site, scenario.run(site, Random(f"{seed} {scenario.name}")), is_raced=True)
            yield outcome


async def _run_disk(outcome: Outcome, forks: ServerForks, scenario: DiskScenario) -> None:
    from tests.support import bad_disks

    if scenario.kind == "FullDisk" and not bad_disks.can_mount():
        outcome.failures.append("not tried: no file system of one's own can be mounted here")
        return
    async with _open_folder() as folder:
        disk: bad_disks.BadDisk = getattr(bad_disks, scenario.kind)(folder / "home")
        async with one_process.open_site(forks, folder, disk) as site:
            run = spoilt_surroundings.spoil_disk(site, disk, rounds=scenario.rounds)
            await _run(outcome, site, run, is_raced=disk.outlives_server)


async def _run(outcome: Outcome, site: ChaosSite, run: Awaitable[list[str] | None], *, is_raced: bool) -> None:
    """Run a scenario, see what is left of a budget afterwards, and keep the verdict."""
    outcome.failures += await run or []
    if is_raced:
        outcome.failures += await site.race_for_the_last()
    outcome.books = await site.audit()
    outcome.failures += outcome.books.failures
    outcome.kills, outcome.faults = site.kills, site.faults


@asynccontextmanager
async def _open_folder() -> AsyncGenerator[Path]:
    with TemporaryDirectory(prefix="atelier-chaos-") as name:
        yield Path(name)
