"""What becomes of accepted jobs, whatever the upstream does."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from jobs.doubles import HandRoom, ScriptedProvider, done, open_hand_room, words

from atelier_mcp.server.errors import ContentRefused, ProviderUnavailable, RateLimited, Spent, UpstreamFailed
from atelier_mcp.server.jobs.model import Failed, Job, JobImage, Queued, Running, Saving, Succeeded
from atelier_mcp.server.providers.base import Done, Output, Refused, UpstreamTask, Working

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.hand_clock import HandClock

    from atelier_mcp.server.jobs.model import JobId


async def started(room: HandRoom, prompt: str = "a red kite", **arguments: int) -> Job:
    return (await room.jobs.start(words(prompt, **arguments), caller="me")).job


async def stands(room: HandRoom, job_id: JobId) -> Job:
    return (await room.ledger.get([job_id]))[0]


async def finished(room: HandRoom, *ids: JobId, within_s: float = 4000.0) -> list[Job]:
    """The jobs once all are finished; somebody waits for them all the time."""
    waiting = asyncio.create_task(room.jobs.wait(ids, wait_s=within_s + 1))
    await room.clock.until(waiting.done, within_s=within_s)
    return await waiting


async def test_a_finished_task_becomes_stored_pictures(room: HandRoom) -> None:
    job = await started(room, samples=2)
    room.provider.stands["task-1"] = done("a.png", "b.png")
    (job,) = await finished(room, job.id)
    assert job.state == Succeeded((JobImage("img_a.png", 0), JobImage("img_b.png", 1)))
    assert room.gallery.made[0]["request"] == {"prompt": "a red kite", "samples": 2}
    assert room.gallery.made[0]["job"] == job.id


async def test_a_hundred_and_twenty_jobs_are_looked_at_in_three_requests(room: HandRoom) -> None:
    room.provider.done_after_s = 2.0
    jobs = [await started(room, f"kite {n}") for n in range(120)]
    await finished(room, *(job.id for job in jobs))
    assert [len(tasks) for _, tasks in room.provider.looks] == [50, 50, 20]


async def test_where_there_is_no_batch_each_task_is_asked_about_alone(tmp_path: Path, clock: HandClock) -> None:
    single = ScriptedProvider(clock, batch=1)
    single.done_after_s = 2.0
    async with open_hand_room(tmp_path, single, clock) as room:
        jobs = [await started(room, f"kite {n}") for n in range(5)]
        await finished(room, *(job.id for job in jobs))
    assert [len(tasks) for _, tasks in single.looks] == [1] * 5


async def test_tasks_of_different_kinds_are_asked_about_apart(room: HandRoom) -> None:
    room.provider.submit_script.extend(UpstreamTask(f"{kind}-{n}", kind) for n in range(2) for kind in "ab")
    jobs = [await started(room, f"kite {n}") for n in range(4)]
    for kind in "ab":
        room.provider.stands |= {f"{kind}-{n}": done(f"{kind}{n}.png") for n in range(2)}
    await finished(room, *(job.id for job in jobs))
    assert sorted(sorted(tasks) for _, tasks in room.provider.looks) == [["a-0", "a-1"], ["b-0", "b-1"]]


async def test_the_account_is_never_asked_faster_than_it_allows(tmp_path: Path, clock: HandClock) -> None:
    single = ScriptedProvider(clock, batch=1, polls_per_s=4.0)
    single.done_after_s = 6.0
    async with open_hand_room(tmp_path, single, clock) as room:
        jobs = [await started(room, f"kite {n}") for n in range(30)]
        await finished(room, *(job.id for job in jobs))
    moments = [moment for moment, _ in single.looks]
    assert len(moments) > 30
    assert max(sum(begin <= moment < begin + 1.0 for moment in moments) for begin in moments) <= 4


async def test_once_learned_the_first_look_comes_when_such_jobs_are_done(room: HandRoom) -> None:
    room.provider.done_after_s = 20.0
    for n in range(8):
        await finished(room, (await started(room, f"kite {n}")).id)
    looks = Counter(task for _, tasks in room.provider.looks for task in tasks)
    assert looks["task-8"] <= 3 < looks["task-1"]


async def test_a_job_nobody_waits_for_is_looked_at_less_often_and_still_finished(room: HandRoom) -> None:
    attended = await started(room, "attended")
    room.provider.done_after_s = 60.0
    await finished(room, attended.id)
    often = len(room.provider.looks)
    lonely = await started(room, "lonely")
    room.provider.looks.clear()
    await room.clock.advance(100.0)
    assert isinstance((await stands(room, lonely.id)).state, Succeeded)
    assert len(room.provider.looks) < often / 2


async def test_progress_is_told_while_it_lasts(room: HandRoom) -> None:
    job = await started(room)
    heard: list[Job] = []
    waiting = asyncio.create_task(room.jobs.wait([job.id], wait_s=30, on_change=heard.append))
    for progress in (0.1, 0.11, 0.5):
        room.provider.stands["task-1"] = Working(progress, "")
        await room.clock.advance(5.0)
    room.provider.stands["task-1"] = done("a.png")
    await room.clock.until(waiting.done)
    states = [changed.state for changed in heard]
    assert [state.progress for state in states if isinstance(state, Running)] == [0.1, 0.5]
    assert [type(state) for state in states[2:]] == [Saving, Succeeded]


async def test_a_refusal_is_the_end_and_costs_nothing_unless_it_was_charged(room: HandRoom) -> None:
    for spent, charged in ((Spent.NOTHING, 0), (Spent.YES, 4)):
        job = await started(room, f"kite {charged}", samples=4)
        task = f"task-{len(room.provider.submits)}"
        room.provider.stands[task] = Refused(ContentRefused("Too daring.", then="Tone it down.", spent=spent))
        (job,) = await finished(room, job.id)
        assert job.state == Failed("Too daring.", spent.value, "Tone it down.")
        assert (await room.ledger.spent("2026-11-20", job.account)).everywhere == charged


async def test_what_is_not_a_picture_is_kept_as_it_came(room: HandRoom) -> None:
    job = await started(room)
    room.provider.stands["task-1"] = Done(data={"faces": [{"x": 3}]})
    (job,) = await finished(room, job.id)
    assert job.state == Succeeded((), {"faces": [{"x": 3}]})


async def test_pictures_that_were_kept_back_are_named_and_not_charged(room: HandRoom) -> None:
    job = await started(room, samples=3)
    room.provider.stands["task-1"] = Done(done("a.png").outputs, lost=("Sensitive", "Sensitive"))
    (job,) = await finished(room, job.id)
    assert job.state == Succeeded((JobImage("img_a.png", 0),), lost=("Sensitive", "Sensitive"))
    assert (await room.ledger.spent("2026-11-20", job.account)).everywhere == 1


async def test_a_job_without_any_picture_left_has_failed(room: HandRoom) -> None:
    job = await started(room)
    room.provider.stands["task-1"] = Done(lost=("Sensitive",))
    (job,) = await finished(room, job.id)
    assert isinstance(job.state, Failed)
    assert "Sensitive" in job.state.what


@pytest.mark.parametrize(
    "problem",
    [ProviderUnavailable("no answer"), UpstreamFailed("odd"), KeyError("data"), TimeoutError()],
    ids=lambda problem: type(problem).__name__,
)
async def test_a_failed_look_is_not_a_failed_job(room: HandRoom, problem: Exception) -> None:
    job = await started(room)
    room.provider.look_script.extend([problem] * 4)
    room.provider.stands["task-1"] = done("a.png")
    (job,) = await finished(room, job.id)
    assert isinstance(job.state, Succeeded)
    moments = [moment for moment, _ in room.provider.looks]
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(later > earlier for earlier, later in itertools.pairwise(pauses))


async def test_a_look_that_leaves_a_task_out_says_nothing_of_it(room: HandRoom) -> None:
    job = await started(room)
    real_look, room.provider.look = room.provider.look, _says_nothing  # pyright: ignore[reportAttributeAccessIssue]  # for a while
    await room.clock.advance(30.0)
    assert isinstance((await stands(room, job.id)).state, Queued)
    room.provider.look = real_look
    room.provider.stands["task-1"] = done("a.png")
    assert isinstance((await finished(room, job.id))[0].state, Succeeded)


async def _says_nothing(tasks: object) -> dict[str, Working]:
    return {}


async def test_the_whole_account_keeps_away_as_long_as_it_is_told_to(room: HandRoom) -> None:
    jobs = [await started(room, f"kite {n}") for n in range(60)]
    room.provider.look_script.append(RateLimited("slow down", retry_after_s=20.0))
    room.provider.done_after_s = 1.0
    await finished(room, *(job.id for job in jobs))
    first, second = room.provider.looks[0][0], room.provider.looks[1][0]
    assert 20.0 <= second - first <= 21.0


async def test_a_task_the_upstream_chokes_on_does_not_hold_up_the_others(room: HandRoom) -> None:
    jobs = [await started(room, f"kite {n}") for n in range(50)]
    room.provider.done_after_s = 1.0
    real_look = room.provider.look

    async def chokes(tasks: tuple[UpstreamTask, ...]) -> object:
        if any(task.id == "task-13" for task in tasks):
            raise ProviderUnavailable("broken answer")
        return await real_look(tasks)

    room.provider.look = chokes  # pyright: ignore[reportAttributeAccessIssue]  # an upstream with a defect
    others = [job.id for n, job in enumerate(jobs) if n != 12]
    assert all(isinstance(job.state, Succeeded) for job in await finished(room, *others, within_s=300))
    assert isinstance((await stands(room, jobs[12].id)).state, Queued)


async def test_a_job_not_done_by_its_deadline_has_failed_and_stays_charged(room: HandRoom) -> None:
    job = await started(room, samples=2)
    await room.clock.advance(1900)
    job = await stands(room, job.id)
    assert isinstance(job.state, Failed)
    assert "within 30 minutes" in job.state.what
    assert 1800 <= (job.updated_at - job.created_at).total_seconds() < 1865
    assert (await room.ledger.spent("2026-11-20", job.account)).everywhere == 2


async def test_a_job_past_its_deadline_is_given_up_only_after_some_more_tries(room: HandRoom) -> None:
    job = await started(room)
    room.provider.look_script.extend([ProviderUnavailable("no network")] * 200)
    await room.clock.advance(1990)
    assert isinstance((await stands(room, job.id)).state, Queued)
    await room.clock.advance(900)
    assert isinstance((await stands(room, job.id)).state, Failed)


async def test_a_computer_that_wakes_up_after_the_deadline_still_gets_its_pictures(
    tmp_path: Path, clock: HandClock
) -> None:
    provider = ScriptedProvider(clock)
    async with open_hand_room(tmp_path, provider, clock) as room:
        job = await started(room)
    await clock.advance(8 * 3600)
    provider.look_script.extend([ProviderUnavailable("no network yet")] * 3)
    provider.stands["task-1"] = done("a.png")
    async with open_hand_room(tmp_path, provider, clock) as room:
        assert isinstance((await finished(room, job.id))[0].state, Succeeded)


async def test_a_failed_download_is_tried_again_with_renewed_links(room: HandRoom) -> None:
    job = await started(room, samples=2)
    room.provider.stands["task-1"] = done("a.png", "stale.png")
    room.gallery.keep_script.extend([None, ProviderUnavailable("404")])
    waiting = asyncio.create_task(room.jobs.wait([job.id], wait_s=60))
    await room.clock.until(lambda: room.gallery.kept == ["a.png"])
    room.provider.stands["task-1"] = done("a2.png", "fresh.png")
    await room.clock.until(waiting.done)
    assert waiting.result()[0].state == Succeeded((JobImage("img_a.png", 0), JobImage("img_fresh.png", 1)))
    assert room.gallery.kept == ["a.png", "fresh.png"]


async def test_pictures_that_cannot_be_fetched_are_given_up_in_the_end(room: HandRoom) -> None:
    lost, half = await started(room, "lost"), await started(room, "half", samples=2)
    room.provider.stands["task-1"] = Done((Output("https://pictures.example/gone"),))
    room.provider.stands["task-2"] = done("a.png", "gone")
    keep = room.gallery.keep

    async def keeps_some(output: Output, **facts: object) -> object:
        if output.url == "https://pictures.example/gone":
            raise ProviderUnavailable("The link answers 404.")
        return await keep(output, **facts)  # pyright: ignore[reportArgumentType]  # handed on as it came

    room.gallery.keep = keeps_some  # pyright: ignore[reportAttributeAccessIssue]  # a host that lost a file
    await room.clock.advance(2500)
    one, two = await room.ledger.get([lost.id, half.id])
    assert isinstance(one.state, Failed)
    assert one.state.spent == "It was charged by the service."
    assert two.state == Succeeded((JobImage("img_a.png", 0),), lost=("could not be downloaded",))


async def test_a_defect_in_the_store_is_not_the_end_of_the_poller(
    room: HandRoom, caplog: pytest.LogCaptureFixture
) -> None:
    job = await started(room)
    room.provider.stands["task-1"] = done("a.png")
    room.gallery.keep_script.append(ZeroDivisionError())
    assert isinstance((await finished(room, job.id))[0].state, Succeeded)
    assert job.id in {getattr(record, "job", None) for record in caplog.records}


async def test_a_ledger_that_fails_for_a_while_is_not_the_end_of_the_poller(
    room: HandRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await started(room)
    room.provider.stands["task-1"] = done("a.png")

    async def full_disk(*_: object, **__: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        for method in ("live", "move_all", "submitting"):
            broken.setattr(room.ledger, method, full_disk)
        await room.clock.advance(60.0)
    assert isinstance((await stands(room, job.id)).state, Queued)
    assert isinstance((await finished(room, job.id))[0].state, Succeeded)


async def test_an_upstream_on_this_machine_may_link_to_this_machine(room: HandRoom) -> None:
    for local, name in ((False, "far"), (True, "near")):
        room.provider.local = local
        job = await started(room, name)
        task = f"task-{len(room.provider.submits)}"
        room.provider.stands[task] = Done((Output("http://127.0.0.1:8411/x.png"),))
        await finished(room, job.id)
    assert room.gallery.allowed == [frozenset(), frozenset({"127.0.0.1:8411"})]


async def test_jobs_of_accounts_without_credentials_are_left_alone(tmp_path: Path, clock: HandClock) -> None:
    async with open_hand_room(tmp_path, ScriptedProvider(clock, name="gone"), clock) as room:
        job = await started(room)
    other = ScriptedProvider(clock)
    async with open_hand_room(tmp_path, other, clock) as room:
        await clock.advance(900)
        assert isinstance((await stands(room, job.id)).state, Queued)
    assert other.looks == []


async def _lateness_s(room: HandRoom, *, jobs: int, over_s: float) -> float:
    """Start jobs over some seconds; how long after the upstream was done they were found so, on average."""
    waits: list[asyncio.Task[list[Job]]] = []
    for n in range(jobs):
        job = await started(room, f"wave {n}")
        waits.append(asyncio.create_task(room.jobs.wait([job.id], wait_s=600)))
        await room.clock.advance(over_s / jobs)
    await room.clock.until(lambda: all(waiting.done() for waiting in waits))
    lasts_s = room.provider.done_after_s or 0.0
    ended = [waiting.result()[0] for waiting in waits]
    assert all(isinstance(job.state, Succeeded) for job in ended)
    return sum((job.updated_at - job.created_at).total_seconds() - lasts_s for job in ended) / jobs


@pytest.mark.parametrize(("learned_s", "at_most_s"), [(5.0, 0.3), (4.6, 0.45), (5.3, 0.45)])
async def test_a_wave_of_three_hundred_jobs_is_found_done_at_once(
    room: HandRoom, learned_s: float, at_most_s: float
) -> None:
    """At six requests a second, of fifty jobs each; nearly at once where what is learned is not quite what it takes."""
    room.provider.done_after_s = 5.0
    await room.ledger.learn(room.provider.account, "generate_image", *[learned_s] * 31)
    late_s = await _lateness_s(room, jobs=300, over_s=0.6)
    moments = [moment for moment, _ in room.provider.looks]
    assert max(sum(begin <= moment < begin + 1.0 for moment in moments) for begin in moments) <= 6
    assert len(moments) <= 20
    assert late_s < at_most_s


async def test_jobs_trickling_in_are_found_done_within_three_tenths_of_a_second(room: HandRoom) -> None:
    room.provider.done_after_s = 5.0
    await room.ledger.learn(room.provider.account, "generate_image", *[5.0] * 31)
    assert await _lateness_s(room, jobs=120, over_s=30.0) < 0.3
