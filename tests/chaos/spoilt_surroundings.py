"""What a server meets beside kills: lost answers, files that cannot be written, other ledgers, other times of day."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.books import CONFIRMED
from tests.support.ledger_places import execute_behind, take_back_to_version_4

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.site import ChaosSite
    from tests.support.bad_disks import BadDisk

LOST_ANSWERS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "lost"},
    {"kind": "cut"},
    {"kind": "broken"},
    {"kind": "gateway", "status": 502},
    {"kind": "gateway", "status": 504},
)
HOUR_S: Final = 3600.0
AUDIT_BOUND_S: Final = 60.0
WRITE_FAILS: Final = 0.3
"""Of the files: a picture has two, so half of the pictures cannot be written."""
LONG_TASK_S: Final = 1.0
SHORT_TASK_S: Final = 0.1
STOPPED_WORDS: Final = "newer Atelier"


async def lose_answers(site: ChaosSite, *, rounds: int) -> list[str]:
    """The upstream accepts, and its answer is lost in each way there is; the server is killed after every second."""
    failures: list[str] = []
    for number in range(rounds):
        for fault in LOST_ANSWERS:
            await site.upstream.lose_answers(times=1, **fault)
            site.faults += 1
            call = await site.call(wait_s=10)
            if (number + len(site.calls)) % 2:
                await site.kill(site.server)
                await site.server.start()
            job = await site.find_job(call.prompt)
            if job is None or job.state != "unconfirmed":
                failures.append(f"{fault}: {call.words!r}, {job}")
    return failures


async def fail_half_of_writes(site: ChaosSite, *, batch: int) -> None:
    """Pictures come while half of them cannot be written."""
    server = site.server
    before = server.read_count("failed_writes")
    server.set_control("writes", WRITE_FAILS)
    while server.read_count("failed_writes") == before:  # by chance, none of a few
        await site.call_many(batch)
        await site.settle()
    server.set_control("writes", 0)
    site.faults += server.read_count("failed_writes") - before


async def spoil_disk(site: ChaosSite, disk: BadDisk, *, rounds: int) -> list[str]:
    """Pictures are on their way when the data folder takes nothing more; meanwhile nothing new is sent."""
    failures: list[str] = []
    await site.upstream.set_task_s(LONG_TASK_S)
    for number in range(rounds):
        calls = await site.call_many(3)
        await asyncio.gather(*(site.wait_for_job(call.prompt, CONFIRMED) for call in calls))
        disk.spoil(site.server.process_id)
        site.faults += 1
        refused = await site.call()
        if refused.outcome != "refused":
            failures.append(f"a job was begun that could not be written down: {refused}")
        # Who looks after the jobs cannot write down what comes of them.
        await site.server.wait_until_heard()
        if disk.outlives_server and number % 2 == 0:
            await site.kill(site.server)
            await site.server.start()
        disk.mend(site.server.process_id)
        await site.settle()
    await site.upstream.set_task_s(SHORT_TASK_S)
    return failures


async def change_ledger(site: ChaosSite) -> list[str]:
    """Servers of three versions after another, each killed amid jobs, and one that must not touch them."""
    await site.upstream.set_task_s(LONG_TASK_S)
    newer = ("UPDATE schema_version SET version = 99", "ALTER TABLE jobs ADD colour TEXT")
    for change in (partial(take_back_to_version_4, keeps_audit_lines=True), partial(_execute, newer)):
        await site.call_many(3)
        await _wait_until_audited(site)
        await site.kill(site.server)
        await asyncio.to_thread(change, site.ledger)
        site.faults += 1
        await site.server.start()
        await site.settle()
    failures = await _refuse_newer(site)
    await site.upstream.set_task_s(SHORT_TASK_S)
    return failures


def _execute(statements: Sequence[str], ledger: str) -> None:
    execute_behind(ledger, *statements)


async def leap(site: ChaosSite, *, rounds: int) -> list[str]:
    """The time of day leaps by an hour, forward and back, amid jobs; every other time the server is killed meanwhile.

    The service does not take tokens of another time: jobs wait until the clock is right again.
    """
    failures: list[str] = []
    await site.upstream.set_task_s(LONG_TASK_S)
    for number in range(rounds):
        for offset_s in (HOUR_S, -HOUR_S):
            calls = await site.call_many(3)
            failures += [f"at the right time: {call}" for call in calls if call.outcome != "accepted"]
            await asyncio.gather(*(site.wait_for_job(call.prompt, CONFIRMED) for call in calls))
            site.server.set_control("clock", offset_s)
            site.faults += 1
            await site.call()
            if number % 2 == 0:
                await site.kill(site.server)
                await site.server.start()
                await site.server.wait_until_heard()  # it has asked for the jobs in vain
            site.server.set_control("clock", 0)
            await site.settle()
    await site.upstream.set_task_s(SHORT_TASK_S)
    return failures


async def _refuse_newer(site: ChaosSite) -> list[str]:
    """A ledger that this version cannot work with stops it in a sentence, and stays as it is."""
    await site.call_many(2)
    await site.kill(site.server)
    await asyncio.to_thread(execute_behind, site.ledger, "UPDATE schema_version SET oldest_reader = 99")
    site.faults += 1
    jobs = await site.read_jobs()
    await site.server.launch()
    await site.server.wait_until_dead()
    failures = [] if await site.read_jobs() == jobs else ["a server changed a ledger that it cannot read"]
    said = site.server.read_log().rpartition(STOPPED_WORDS)[1]
    await asyncio.to_thread(execute_behind, site.ledger, "UPDATE schema_version SET oldest_reader = 5")
    await site.server.start()
    await site.settle()
    return failures if said else [*failures, "a newer ledger is not named"]


async def _wait_until_audited(site: ChaosSite) -> None:
    """Return when no line is due: an older ledger has no place for them."""
    async with asyncio.timeout(AUDIT_BOUND_S):
        while await asyncio.to_thread(execute_behind, site.ledger, "SELECT 1 FROM audit_lines"):
            await asyncio.sleep(0.05)
