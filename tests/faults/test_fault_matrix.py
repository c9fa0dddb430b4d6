"""Every service meets every fault at every step of a job, over real sockets, and does what the table says."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.faults.bench import FaultBench, JobEnd
from tests.faults.kinds import ARRIVES, Fault, Outcome, Step
from tests.faults.page import PAGE, build_page, count_combinations
from tests.faults.services import SERVICES, FaultedService
from tests.faults.table import find_outcome
from tests.support.fault_proxy import FaultProxy
from tests.support.stepped_server import UNFINISHED, SteppedServer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    Connect = Callable[[FaultedService], AbstractAsyncContextManager[FaultBench]]

FREE: Final = frozenset({"sd_webui", "comfyui"})
"""Services on the user's own machine: what they draw counts as nothing."""
MAYBE: Final = "may have been charged"
NOTHING: Final = "Nothing was spent."
CHARGED: Final = "It was charged"
FAULTS_PER_JOB: Final = 4
"""Of a download: after ten minutes of dead links a job would end."""
REPEATED: Final = frozenset({Outcome.SENT_AGAIN, Outcome.SENT_ONCE_MORE})
LOST_FOR_GOOD: Final = {
    Outcome.SENT_AGAIN: ("failed", NOTHING, 3),
    Outcome.SENT_ONCE_MORE: ("failed", NOTHING, 2),
    Outcome.UNCONFIRMED: ("unconfirmed", MAYBE, 1),
    Outcome.MAYBE_CHARGED: ("failed", MAYBE, 1),
    Outcome.FREE_FAILURE: ("failed", NOTHING, 1),
    Outcome.LOOKED_UP: ("failed", NOTHING, 1),
    Outcome.UNKNOWN_FREE: ("unconfirmed", NOTHING, 1),
    Outcome.FOUND: ("succeeded", "", 1),
}
"""Of a submit that meets a fault however often it is sent: state, words about the money, how often that was."""


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Starts a server that finds a service behind the proxy, with a client of it."""

    @asynccontextmanager
    async def start(service: FaultedService) -> AsyncGenerator[FaultBench]:
        async with (
            SteppedServer(home=tmp_path / "home", monkeypatch=monkeypatch) as world,
            FaultProxy(world.site, world.clock) as proxy,
        ):
            proxy.patch_clients(monkeypatch)
            world.base_url = proxy.base_url
            await world.site.call_control("PATCH", "/settings", service.emulator_settings)
            async with world.connect(service.upstream, **service.settings) as client:
                yield FaultBench(world, proxy, service, client)

    return start


def list_services(step: Step) -> list[FaultedService]:
    """The services that have a step."""
    return [service for service in SERVICES if service.get_pattern(step)]


def check_submit(service: FaultedService, fault: Fault, end: JobEnd, expected: tuple[str, str, int]) -> str:
    """What is wrong about the end of a job; nothing where it is as expected."""
    state, words, sent_count = expected
    counts = state in {"succeeded", "unconfirmed"} or words == MAYBE
    spent = 1 if counts and service.upstream.name not in FREE else 0
    taken_count = 1 if state == "succeeded" or fault in ARRIVES else 0
    wanted = (state, sent_count, taken_count, spent)
    found = (end.state, end.sent_count, end.taken_count, end.spent)
    problem = "" if found == wanted else f"is {found} instead of {wanted}: {end.words}"
    return problem or ("" if words in end.words else f"does not say {words!r}: {end.words}")


@pytest.mark.parametrize("service", SERVICES, ids=str)
async def test_a_submit_is_sent_again_only_where_it_certainly_was_not_taken(
    connect: Connect, service: FaultedService
) -> None:
    """State, words about the money, budget, and how often it was sent are those of the table."""
    problems: dict[str, str] = {}
    async with connect(service) as bench:
        for fault in Fault:
            outcome = find_outcome(service, Step.SUBMIT, fault)
            end = await bench.submit(fault, stays=True)
            problems[f"{fault}, for good"] = check_submit(service, fault, end, LOST_FOR_GOOD[outcome])
            if outcome in REPEATED:
                end = await bench.submit(fault, stays=False)
                problems[f"{fault}, once"] = check_submit(service, fault, end, ("succeeded", "", 2))
    print(f"{service}, submit: {len(Fault)} faults, {len(problems)} jobs")  # for people
    assert not format_problems(problems)


@pytest.mark.parametrize("service", list_services(Step.POLL), ids=str)
async def test_no_fault_of_a_poll_says_anything_of_the_job(connect: Connect, service: FaultedService) -> None:
    """One job meets them all, and is finished when the service can be reached again; another one meets its deadline."""
    async with connect(service) as bench:
        await check_meeting(bench, Step.POLL, list(Fault))
        end = await bench.outlast(Step.POLL, list(Fault))
    print(f"{service}, poll: {len(Fault)} faults")  # for people
    is_free = service.upstream.name in FREE
    assert (end.state, end.spent) == ("failed", 0 if is_free else 1), end.words
    assert (NOTHING if is_free else MAYBE) in end.words


@pytest.mark.parametrize("service", list_services(Step.DOWNLOAD), ids=str)
async def test_no_fault_of_a_download_loses_a_picture_that_is_paid_for(
    connect: Connect, service: FaultedService
) -> None:
    """It is fetched when its link works again; where that never happens, the job says that it was paid for."""
    faults = list(Fault)
    async with connect(service) as bench:
        for start in range(0, len(faults), FAULTS_PER_JOB):
            await check_meeting(bench, Step.DOWNLOAD, faults[start : start + FAULTS_PER_JOB])
        end = await bench.outlast(Step.DOWNLOAD, faults)
    print(f"{service}, download: {len(faults)} faults")  # for people
    is_free = service.upstream.name in FREE
    assert (end.state, end.spent) == ("failed", 0 if is_free else 1), end.words
    assert (NOTHING if is_free else CHARGED) in end.words


def test_the_page_shows_the_table() -> None:
    """``python -m tests.faults.page`` writes it."""
    print(f"{count_combinations()} combinations of service, step and fault")  # for people
    assert PAGE.read_text("utf-8") == build_page()


async def check_meeting(bench: FaultBench, step: Step, faults: list[Fault]) -> None:
    """One job lives through these faults, and succeeds with its picture, paid once."""
    states, end = await bench.meet(step, faults)
    ended = {str(fault): state for fault, state in states.items() if state not in UNFINISHED}
    assert not ended, f"{ended}: {end.words}"
    assert (end.state, end.image_count, end.sent_count, end.taken_count) == ("succeeded", 1, 1, 1), end.words


def format_problems(problems: dict[str, str]) -> str:
    """A line for each."""
    return "\n".join(f"{name}: {problem}" for name, problem in problems.items() if problem)
