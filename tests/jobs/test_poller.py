"""What becomes of accepted jobs, whatever the upstream does."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import (
    ConfigurationError,
    ContentRefused,
    ProviderUnavailable,
    RateLimited,
    Spent,
    UpstreamFailed,
)
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.images.pipeline import OutputLost
from atelier_mcp.server.jobs.model import Failed, Job, JobImage, Queued, Running, Saving, Succeeded
from atelier_mcp.server.jobs.poller import GRACE_S
from atelier_mcp.server.providers.base import TaskFailed, TaskRunning, TaskSucceeded, UpstreamTask
from tests.jobs.doubles import (
    ManualJobsHarness,
    ScriptedProvider,
    build_done,
    build_request,
    count_spent_images,
    open_manual_harness,
)
from tests.support.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.jobs.model import JobId


async def start_job(harness: ManualJobsHarness, prompt: str = "a red kite", **arguments: int) -> Job:
    return (await harness.submitter.start(build_request(prompt, **arguments), caller="me")).job


async def load_job(harness: ManualJobsHarness, job_id: JobId) -> Job:
    return (await harness.ledger.get([job_id]))[0]


async def wait_until_finished(harness: ManualJobsHarness, *ids: JobId, within_s: float = 4000.0) -> list[Job]:
    """The jobs once all are finished; somebody waits for them all the time."""
    waiting = asyncio.create_task(harness.jobs.wait(ids, wait_s=within_s + 1))
    await harness.clock.advance_until(waiting.done, within_s=within_s)
    return await waiting


async def test_a_finished_task_becomes_stored_pictures(harness: ManualJobsHarness) -> None:
    job = await start_job(harness, samples=2)
    harness.provider.snapshots["task-1"] = build_done("a.png", "b.png")
    (job,) = await wait_until_finished(harness, job.id)
    assert job.state == Succeeded((JobImage("img_a.png", 0), JobImage("img_b.png", 1)))
    assert harness.pipeline.provenances[0].request == {"prompt": "a red kite", "samples": 2}
    assert harness.pipeline.provenances[0].job == job.id


async def test_a_hundred_and_twenty_jobs_are_looked_at_in_three_requests(harness: ManualJobsHarness) -> None:
    harness.provider.done_after_s = 2.0
    jobs = [await start_job(harness, f"kite {n}") for n in range(120)]
    await wait_until_finished(harness, *(job.id for job in jobs))
    assert [len(tasks) for _, tasks in harness.provider.polls] == [50, 50, 20]


async def test_where_there_is_no_batch_each_task_is_asked_about_alone(tmp_path: Path, clock: ManualClock) -> None:
    single = ScriptedProvider(clock, batch=1)
    single.done_after_s = 2.0
    async with open_manual_harness(tmp_path, single, clock) as harness:
        jobs = [await start_job(harness, f"kite {n}") for n in range(5)]
        await wait_until_finished(harness, *(job.id for job in jobs))
    assert [len(tasks) for _, tasks in single.polls] == [1] * 5


async def test_tasks_of_different_kinds_are_asked_about_apart(harness: ManualJobsHarness) -> None:
    harness.provider.submit_script.extend(UpstreamTask(f"{kind}-{n}", kind) for n in range(2) for kind in "ab")
    jobs = [await start_job(harness, f"kite {n}") for n in range(4)]
    for kind in "ab":
        harness.provider.snapshots |= {f"{kind}-{n}": build_done(f"{kind}{n}.png") for n in range(2)}
    await wait_until_finished(harness, *(job.id for job in jobs))
    assert sorted(sorted(tasks) for _, tasks in harness.provider.polls) == [["a-0", "a-1"], ["b-0", "b-1"]]


async def test_the_account_is_never_asked_faster_than_it_allows(tmp_path: Path, clock: ManualClock) -> None:
    single = ScriptedProvider(clock, batch=1, polls_per_s=4.0)
    single.done_after_s = 6.0
    async with open_manual_harness(tmp_path, single, clock) as harness:
        jobs = [await start_job(harness, f"kite {n}") for n in range(30)]
        await wait_until_finished(harness, *(job.id for job in jobs))
    moments = [moment for moment, _ in single.polls]
    assert len(moments) > 30
    assert max(sum(begin <= moment < begin + 1.0 for moment in moments) for begin in moments) <= 4


async def test_once_learned_the_first_look_comes_when_such_jobs_are_done(harness: ManualJobsHarness) -> None:
    harness.provider.done_after_s = 20.0
    for n in range(8):
        await wait_until_finished(harness, (await start_job(harness, f"kite {n}")).id)
    poll_counts = Counter(task for _, tasks in harness.provider.polls for task in tasks)
    assert poll_counts["task-8"] <= 3 < poll_counts["task-1"]


async def test_a_job_nobody_waits_for_is_looked_at_less_often_and_still_finished(harness: ManualJobsHarness) -> None:
    awaited = await start_job(harness, "attended")
    harness.provider.done_after_s = 60.0
    await wait_until_finished(harness, awaited.id)
    awaited_polls = len(harness.provider.polls)
    unawaited = await start_job(harness, "lonely")
    harness.provider.polls.clear()
    await harness.clock.advance(100.0)
    assert isinstance((await load_job(harness, unawaited.id)).state, Succeeded)
    assert len(harness.provider.polls) < awaited_polls / 2


async def test_a_job_that_is_asked_about_now_and_then_is_looked_at_as_if_somebody_waited(tmp_path: Path) -> None:
    """Whoever comes again by itself learns of the end hardly later than who waits."""
    poll_counts: dict[bool, int] = {}
    for is_asked_about in (False, True):
        clock = ManualClock()
        provider = ScriptedProvider(clock)
        provider.done_after_s = 60.0
        async with open_manual_harness(tmp_path / str(is_asked_about), provider, clock) as harness:
            job = await start_job(harness)
            for _ in range(20):
                if is_asked_about:
                    await harness.jobs.attend(await harness.jobs.get([job.id]), for_s=10.0)
                await clock.advance(5.0)
            assert isinstance((await load_job(harness, job.id)).state, Succeeded)
        poll_counts[is_asked_about] = len(provider.polls)
    assert poll_counts[True] > 2 * poll_counts[False]


async def test_progress_is_told_while_it_lasts(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    updates: list[Job] = []
    waiting = asyncio.create_task(harness.jobs.wait([job.id], wait_s=30, on_change=updates.append))
    for progress in (0.1, 0.11, 0.5):
        harness.provider.snapshots["task-1"] = TaskRunning(progress, "")
        await harness.clock.advance(5.0)
    harness.provider.snapshots["task-1"] = build_done("a.png")
    await harness.clock.advance_until(waiting.done)
    states = [changed.state for changed in updates]
    assert [state.progress for state in states if isinstance(state, Running)] == [0.1, 0.5]
    assert [type(state) for state in states[2:]] == [Saving, Succeeded]


async def test_a_refusal_is_the_end_and_costs_nothing_unless_it_was_charged(harness: ManualJobsHarness) -> None:
    for spent, charge in ((Spent.NOTHING, 0), (Spent.YES, 4)):
        job = await start_job(harness, f"kite {charge}", samples=4)
        task = f"task-{len(harness.provider.submits)}"
        harness.provider.snapshots[task] = TaskFailed(ContentRefused("Too daring.", hint="Tone it down.", spent=spent))
        (job,) = await wait_until_finished(harness, job.id)
        assert job.state == Failed("Too daring.", spent.value, "Tone it down.")
        assert await count_spent_images(harness) == charge


async def test_what_is_not_a_picture_is_kept_as_it_came(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = TaskSucceeded(data={"faces": [{"x": 3}]})
    (job,) = await wait_until_finished(harness, job.id)
    assert job.state == Succeeded((), {"faces": [{"x": 3}]})


async def test_pictures_that_were_kept_back_are_named_and_not_charged(harness: ManualJobsHarness) -> None:
    job = await start_job(harness, samples=3)
    harness.provider.snapshots["task-1"] = TaskSucceeded(
        build_done("a.png").outputs, missing_reasons=("Sensitive", "Sensitive")
    )
    (job,) = await wait_until_finished(harness, job.id)
    assert job.state == Succeeded((JobImage("img_a.png", 0),), lost=("Sensitive", "Sensitive"))
    assert await count_spent_images(harness) == 1


async def test_a_job_without_any_picture_left_has_failed(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = TaskSucceeded(missing_reasons=("Sensitive",))
    (job,) = await wait_until_finished(harness, job.id)
    assert isinstance(job.state, Failed)
    assert "Sensitive" in job.state.what


@pytest.mark.parametrize(
    "problem",
    [ProviderUnavailable("no answer"), UpstreamFailed("odd"), KeyError("data"), TimeoutError()],
    ids=lambda problem: type(problem).__name__,
)
async def test_a_failed_look_is_not_a_failed_job(harness: ManualJobsHarness, problem: Exception) -> None:
    job = await start_job(harness)
    harness.provider.poll_script.extend([problem] * 4)
    harness.provider.snapshots["task-1"] = build_done("a.png")
    (job,) = await wait_until_finished(harness, job.id)
    assert isinstance(job.state, Succeeded)
    moments = [moment for moment, _ in harness.provider.polls]
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert all(later > earlier for earlier, later in itertools.pairwise(pauses))


async def test_a_look_that_leaves_a_task_out_says_nothing_of_it(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    real_poll, harness.provider.poll = harness.provider.poll, _return_no_snapshots  # pyright: ignore[reportAttributeAccessIssue]  # for a while
    await harness.clock.advance(30.0)
    assert isinstance((await load_job(harness, job.id)).state, Queued)
    harness.provider.poll = real_poll
    harness.provider.snapshots["task-1"] = build_done("a.png")
    assert isinstance((await wait_until_finished(harness, job.id))[0].state, Succeeded)


async def _return_no_snapshots(tasks: object) -> dict[str, TaskRunning]:
    return {}


async def test_the_whole_account_keeps_away_as_long_as_it_is_told_to(harness: ManualJobsHarness) -> None:
    jobs = [await start_job(harness, f"kite {n}") for n in range(60)]
    harness.provider.poll_script.append(RateLimited("slow down", retry_after_s=20.0))
    harness.provider.done_after_s = 1.0
    await wait_until_finished(harness, *(job.id for job in jobs))
    first, second = harness.provider.polls[0][0], harness.provider.polls[1][0]
    assert 20.0 <= second - first <= 21.0


async def test_a_task_the_upstream_chokes_on_does_not_hold_up_the_others(harness: ManualJobsHarness) -> None:
    jobs = [await start_job(harness, f"kite {n}") for n in range(50)]
    harness.provider.done_after_s = 1.0
    real_poll = harness.provider.poll

    async def fail_on_one_task(tasks: tuple[UpstreamTask, ...]) -> object:
        if any(task.id == "task-13" for task in tasks):
            raise ProviderUnavailable("broken answer")
        return await real_poll(tasks)

    harness.provider.poll = fail_on_one_task  # pyright: ignore[reportAttributeAccessIssue]  # an upstream with a defect
    others = [job.id for n, job in enumerate(jobs) if n != 12]
    assert all(isinstance(job.state, Succeeded) for job in await wait_until_finished(harness, *others, within_s=300))
    assert isinstance((await load_job(harness, jobs[12].id)).state, Queued)


async def test_a_job_not_done_by_its_deadline_has_failed_and_stays_charged(harness: ManualJobsHarness) -> None:
    job = await start_job(harness, samples=2)
    await harness.clock.advance(1900)
    job = await load_job(harness, job.id)
    assert isinstance(job.state, Failed)
    assert "within 30 minutes" in job.state.what
    assert 1800 <= (job.updated_at - job.created_at).total_seconds() < 1865
    assert await count_spent_images(harness) == 2


async def test_a_job_past_its_deadline_is_given_up_only_after_some_more_tries(harness: ManualJobsHarness) -> None:
    job = await start_job(harness)
    harness.provider.poll_script.extend([ProviderUnavailable("no network")] * 200)
    await harness.clock.advance(1990)
    assert isinstance((await load_job(harness, job.id)).state, Queued)
    await harness.clock.advance(900)
    assert isinstance((await load_job(harness, job.id)).state, Failed)


async def test_a_computer_that_wakes_up_after_the_deadline_still_gets_its_pictures(
    tmp_path: Path, clock: ManualClock
) -> None:
    provider = ScriptedProvider(clock)
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        job = await start_job(harness)
    await clock.advance(8 * 3600)
    provider.poll_script.extend([ProviderUnavailable("no network yet")] * 3)
    provider.snapshots["task-1"] = build_done("a.png")
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        assert isinstance((await wait_until_finished(harness, job.id))[0].state, Succeeded)


async def test_a_failed_download_is_tried_again_with_renewed_links(harness: ManualJobsHarness) -> None:
    job = await start_job(harness, samples=2)
    harness.provider.snapshots["task-1"] = build_done("a.png", "stale.png")
    harness.pipeline.store_script.extend([None, ProviderUnavailable("404")])
    waiting = asyncio.create_task(harness.jobs.wait([job.id], wait_s=60))
    await harness.clock.advance_until(lambda: harness.pipeline.stored_names == ["a.png"])
    harness.provider.snapshots["task-1"] = build_done("a2.png", "fresh.png")
    await harness.clock.advance_until(waiting.done)
    assert waiting.result()[0].state == Succeeded((JobImage("img_a.png", 0), JobImage("img_fresh.png", 1)))
    assert harness.pipeline.stored_names == ["a.png", "fresh.png"]


async def test_pictures_that_cannot_be_fetched_are_given_up_in_the_end(harness: ManualJobsHarness) -> None:
    lost, half = await start_job(harness, "lost"), await start_job(harness, "half", samples=2)
    harness.provider.snapshots["task-1"] = TaskSucceeded((OutputImage("https://pictures.example/gone"),))
    harness.provider.snapshots["task-2"] = build_done("a.png", "gone")
    store_output = harness.pipeline.store_output

    async def store_some(output: OutputImage, **facts: object) -> object:
        if output.url == "https://pictures.example/gone":
            raise OutputLost("The link answers 404.")
        return await store_output(output, **facts)  # pyright: ignore[reportArgumentType]  # handed on as it came

    harness.pipeline.store_output = store_some  # pyright: ignore[reportAttributeAccessIssue]  # a host that lost a file
    await harness.clock.advance(2500)
    one, two = await harness.ledger.get([lost.id, half.id])
    assert isinstance(one.state, Failed)
    assert one.state.spent == "It was charged by the service."
    assert two.state == Succeeded((JobImage("img_a.png", 0),), lost=("could not be downloaded",))


async def test_pictures_behind_a_broken_route_are_tried_on_and_the_job_says_so(harness: ManualJobsHarness) -> None:
    """As long as nobody answers, nothing is known of the links: a deadline of half an hour has no say in it."""
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = build_done("a.png")
    harness.pipeline.store_script.extend([ProviderUnavailable("The proxy is down.")] * 200)
    await harness.clock.advance(2400)

    saving = (await load_job(harness, job.id)).state
    assert isinstance(saving, Saving)
    assert saving.problem == "The proxy is down."
    assert saving.tries > 30

    harness.pipeline.store_script.clear()
    await harness.clock.advance(120)
    assert (await load_job(harness, job.id)).state == Succeeded((JobImage("img_a.png", 0),))


async def test_an_answer_to_a_submit_that_holds_no_picture_ends_the_job(harness: ManualJobsHarness) -> None:
    """What came inside it comes no other way: there is neither a link nor a task."""
    harness.provider.submit_script.append(TaskSucceeded((OutputImage(data=b"not a picture"),)))
    harness.pipeline.store_script.extend([OutputLost("The service delivered no sound picture.")] * 9)
    job = await start_job(harness)
    (failed,) = await wait_until_finished(harness, job.id)
    assert isinstance(failed.state, Failed)
    assert "no sound picture" in failed.state.what
    assert len(harness.pipeline.store_script) == 8


async def test_a_picture_that_came_damaged_is_asked_for_again_where_there_is_a_task(
    harness: ManualJobsHarness,
) -> None:
    """The next answer of the service may hold it whole."""
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = TaskSucceeded((OutputImage(data=b"half a picture"),))
    harness.pipeline.store_script.append(OutputLost("The service delivered no sound picture."))
    (finished,) = await wait_until_finished(harness, job.id)
    assert isinstance(finished.state, Succeeded)
    assert sum("task-1" in tasks for _, tasks in harness.provider.polls) == 2


async def test_a_link_that_nobody_answers_for_is_dead_when_its_time_is_over(
    harness: ManualJobsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No storage keeps one for ever; the week is made some minutes here."""
    monkeypatch.setattr("atelier_mcp.server.jobs.image_saver.LONGEST_LINK_LIFETIME_S", 700.0)
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = build_done("a.png")
    harness.pipeline.store_script.extend([ConfigurationError("SSL_CERT_FILE: no certificates.")] * 20_000)
    await harness.clock.advance(800)

    failed = (await load_job(harness, job.id)).state
    assert isinstance(failed, Failed)
    assert "SSL_CERT_FILE" in failed.what
    assert "tries" in failed.what


async def test_a_defect_in_the_store_is_not_the_end_of_the_poller(
    harness: ManualJobsHarness, caplog: pytest.LogCaptureFixture
) -> None:
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = build_done("a.png")
    harness.pipeline.store_script.append(ZeroDivisionError())
    assert isinstance((await wait_until_finished(harness, job.id))[0].state, Succeeded)
    assert job.id in {getattr(record, "job", None) for record in caplog.records}


async def test_a_save_that_waits_for_its_next_try_does_not_hold_up_the_end(
    tmp_path: Path, provider: ScriptedProvider, clock: ManualClock
) -> None:
    """The job is left in ``saving``, and whoever comes next stores its picture."""
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        job = await start_job(harness)
        provider.snapshots["task-1"] = build_done("a.png")
        harness.pipeline.store_script.extend([ProviderUnavailable("not yet")] * 99)
        await clock.advance(30)
        assert isinstance((await load_job(harness, job.id)).state, Saving)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < GRACE_S / 2
    async with open_manual_harness(tmp_path, provider, clock) as harness:
        assert isinstance((await wait_until_finished(harness, job.id))[0].state, Succeeded)


async def test_a_ledger_that_fails_for_a_while_is_not_the_end_of_the_poller(
    harness: ManualJobsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = build_done("a.png")

    async def raise_disk_full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        for method in ("load_live_waits", "move_all", "list_submitting"):
            broken.setattr(harness.ledger, method, raise_disk_full)
        await harness.clock.advance(60.0)
    assert isinstance((await load_job(harness, job.id)).state, Queued)
    assert isinstance((await wait_until_finished(harness, job.id))[0].state, Succeeded)


async def test_an_upstream_on_this_machine_may_link_to_this_machine(harness: ManualJobsHarness) -> None:
    for local, name in ((False, "far"), (True, "near")):
        harness.provider.is_local = local
        job = await start_job(harness, name)
        task = f"task-{len(harness.provider.submits)}"
        harness.provider.snapshots[task] = TaskSucceeded((OutputImage("http://127.0.0.1:8411/x.png"),))
        await wait_until_finished(harness, job.id)
    assert harness.pipeline.allowed_hosts == [frozenset(), frozenset({"127.0.0.1:8411"})]


@pytest.mark.parametrize(
    ("link", "allowed"),
    [
        ("http://10.0.0.5:8080/x.png", set[str]()),
        ("http://169.254.169.254/x.png", set[str]()),
        ("http://127.0.0.1.example/x.png", set[str]()),
        ("http://[/x.png", set[str]()),
        ("http://localhost/x.png", {"localhost:80"}),
        ("http://[::1]/x.png", {"[::1]:80"}),
        ("http://user:key@LOCALHOST:8411/x.png", {"localhost:8411"}),
    ],
)
async def test_an_upstream_on_this_machine_may_link_to_no_other(
    link: str, allowed: set[str], harness: ManualJobsHarness
) -> None:
    """However the host is written, and with its usual port left out."""
    harness.provider.is_local = True
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = TaskSucceeded((OutputImage(link),))
    await wait_until_finished(harness, job.id)
    assert harness.pipeline.allowed_hosts == [frozenset(allowed)]


@pytest.mark.parametrize(
    "link", ["http://10.0.0.5:8080/x.png", "http://127.0.0.1:22/x.png", "http://cdn.example/x.png"]
)
async def test_an_upstream_whose_address_is_known_may_link_to_that_address_alone(
    link: str, harness: ManualJobsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On this machine under any of the machine's own names; any other link is a stranger's."""
    monkeypatch.setattr(harness.provider, "service_origin", "http://127.0.0.1:7860", raising=False)
    harness.provider.is_local = True
    job = await start_job(harness)
    harness.provider.snapshots["task-1"] = TaskSucceeded((OutputImage(link),))
    await wait_until_finished(harness, job.id)
    assert harness.pipeline.allowed_hosts == [frozenset({"127.0.0.1:7860", "localhost:7860", "[::1]:7860"})]


async def test_jobs_of_accounts_without_credentials_are_left_alone(tmp_path: Path, clock: ManualClock) -> None:
    async with open_manual_harness(tmp_path, ScriptedProvider(clock, name="gone"), clock) as harness:
        job = await start_job(harness)
    other = ScriptedProvider(clock)
    async with open_manual_harness(tmp_path, other, clock) as harness:
        await clock.advance(900)
        assert isinstance((await load_job(harness, job.id)).state, Queued)
    assert other.polls == []


async def _measure_lateness_s(harness: ManualJobsHarness, *, jobs: int, over_s: float) -> float:
    """Start jobs over some seconds; how long after the upstream was done they were found so, on average."""
    waits: list[asyncio.Task[list[Job]]] = []
    for n in range(jobs):
        job = await start_job(harness, f"wave {n}")
        waits.append(asyncio.create_task(harness.jobs.wait([job.id], wait_s=600)))
        await harness.clock.advance(over_s / jobs)
    await harness.clock.advance_until(lambda: all(waiting.done() for waiting in waits))
    lasts_s = harness.provider.done_after_s or 0.0
    ended = [waiting.result()[0] for waiting in waits]
    assert all(isinstance(job.state, Succeeded) for job in ended)
    return sum((job.updated_at - job.created_at).total_seconds() - lasts_s for job in ended) / jobs


@pytest.mark.parametrize(("learned_s", "at_most_s"), [(5.0, 0.3), (4.6, 0.45), (5.3, 0.45)])
async def test_a_wave_of_three_hundred_jobs_is_found_done_at_once(
    harness: ManualJobsHarness, learned_s: float, at_most_s: float
) -> None:
    """At six requests a second, of fifty jobs each; nearly at once where what is learned is not quite what it takes."""
    harness.provider.done_after_s = 5.0
    await harness.ledger.record_durations(harness.provider.account, "generate_image", *[learned_s] * 31)
    late_s = await _measure_lateness_s(harness, jobs=300, over_s=0.6)
    moments = [moment for moment, _ in harness.provider.polls]
    assert max(sum(begin <= moment < begin + 1.0 for moment in moments) for begin in moments) <= 6
    assert len(moments) <= 20
    assert late_s < at_most_s


async def test_jobs_trickling_in_are_found_done_within_three_tenths_of_a_second(harness: ManualJobsHarness) -> None:
    harness.provider.done_after_s = 5.0
    await harness.ledger.record_durations(harness.provider.account, "generate_image", *[5.0] * 31)
    assert await _measure_lateness_s(harness, jobs=120, over_s=30.0) < 0.3
