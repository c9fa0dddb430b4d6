"""What the poll queue promises whatever happens in whatever order, and what it says in numbers."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from atelier_mcp.server.errors import ProviderUnavailable, RateLimited, UpstreamFailed
from atelier_mcp.server.jobs.model import Failed, Job, JobId, Queued, Saving, State
from atelier_mcp.server.jobs.poll_batch import Allowance, Pause, PollBatch
from atelier_mcp.server.jobs.poll_queue import (
    MAX_CONCURRENT_POLLS,
    MAX_FAILED_POLLS_PAST_DEADLINE,
    PollQueue,
    compute_deadline_s,
)
from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskLost,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
BATCH_SIZES = {"single": 1, "few": 3, "many": 50}
JOB_NAMES = st.integers(0, 11)
"""Few, so that jobs come back after they were removed."""
SNAPSHOTS: st.SearchStrategy[TaskSnapshot | None] = st.sampled_from(
    [None, TaskPending(), TaskRunning(0.5), TaskRunning(poll_after_s=0.1), TaskSucceeded()]
)
ERRORS: st.SearchStrategy[Exception] = st.sampled_from(
    [ProviderUnavailable("down"), ProviderUnavailable("wait", retry_after_s=5.0), RateLimited("slow"), KeyError("odd")]
)


def build_job(name: object, state: State | None = None, *, kind: str = "many", at_s: float = 0.0) -> Job:
    """A job that the upstream took ``at_s`` seconds after the start, unless another state is given."""
    at = START + timedelta(seconds=at_s)
    return Job(
        id=JobId(f"job_{name}"),
        capability="generate_image",
        provider="a",
        account="a:1",
        caller="me",
        request={},
        notes=(),
        image_count=1,
        created_at=at,
        updated_at=at,
        deadline=at + timedelta(minutes=30),
        state=state or Queued(UpstreamTask(f"task-{name}", kind)),
    )


def build_queue(*jobs: Job, now_s: float = 0.0) -> PollQueue:
    """A queue that holds jobs and knows that they take five seconds."""
    queue = PollQueue(batch_size=BATCH_SIZES.__getitem__, rng=Random(0))
    queue.learn("generate_image", 5.0)
    for job in jobs:
        queue.update(job, now_s=now_s, now=to_moment(now_s))
    return queue


def to_moment(now_s: float) -> datetime:
    return START + timedelta(seconds=now_s)


def take_batch(queue: PollQueue, now_s: float) -> PollBatch:
    batch = queue.next_batch(now_s)
    assert isinstance(batch, PollBatch)
    return batch


def list_ids(batch: PollBatch) -> list[JobId]:
    return [entry.job.id for entry in batch.entries]


class PollQueueMachine(RuleBasedStateMachine):
    """Whatever a poller may do with a queue, in any order, beside a model of what must be in it."""

    batches = Bundle("batches")
    saves = Bundle("saves")

    @initialize(seed=st.integers(0, 3), knows=st.booleans())
    def set_up(self, seed: int, knows: bool) -> None:
        self.queue = PollQueue(batch_size=BATCH_SIZES.__getitem__, rng=Random(seed))
        if knows:
            self.queue.learn("generate_image", 5.0)
        self.now_s = 0.0
        self.expected: dict[JobId, Job] = {}
        self.open_batches: list[PollBatch] = []
        self.open_saves: set[JobId] = set()

    def put(self, job: Job) -> None:
        self.queue.update(job, now_s=self.now_s, now=to_moment(self.now_s))
        self.expected[job.id] = job

    @rule(name=JOB_NAMES, kind=st.sampled_from(sorted(BATCH_SIZES)), ago_s=st.sampled_from([0.0, 4.0, 3600.0]))
    def add(self, name: int, kind: str, ago_s: float) -> None:
        if JobId(f"job_{name}") not in self.expected:
            self.put(build_job(name, kind=kind, at_s=self.now_s - ago_s))

    @rule(name=JOB_NAMES)
    def finish(self, name: int) -> None:
        """A job may end at any time, also while it is asked about."""
        job = build_job(name, Failed("x"), at_s=self.now_s)
        self.queue.update(job, now_s=self.now_s, now=to_moment(self.now_s))
        self.expected.pop(job.id, None)

    @rule(name=JOB_NAMES)
    def remove(self, name: int) -> None:
        self.queue.remove([JobId(f"job_{name}")])
        self.expected.pop(JobId(f"job_{name}"), None)

    @rule(name=JOB_NAMES)
    def await_one(self, name: int) -> None:
        self.queue.add_awaited(JobId(f"job_{name}"))

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 60.0, 3600.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(target=batches, spread_wait_s=st.sampled_from([0.0, 0.0, 0.2]), remaining=st.integers(0, 6))
    def take(self, spread_wait_s: float, remaining: int) -> PollBatch | None:
        batch = self.queue.next_batch(self.now_s, Allowance(spread_wait_s, 0.0, remaining, 1.0))
        if isinstance(batch, Pause):
            assert batch.wait_s >= 0
            return None
        kinds = {task.kind for task in batch.tasks}
        assert len(kinds) == 1
        assert 1 <= len(batch.tasks) <= BATCH_SIZES[kinds.pop()]
        assert all(entry.not_before_s <= self.now_s for entry in batch.entries)
        assert not any(isinstance(entry.job.state, Saving) for entry in batch.entries)
        assert {entry.job.id for entry in batch.entries} <= self.expected.keys()
        busy = [job_id for other in self.open_batches for job_id in list_ids(other)] + list(self.open_saves)
        assert not set(list_ids(batch)) & set(busy)
        self.open_batches.append(batch)
        return batch

    @rule(batch=consumes(batches), data=st.data())
    def succeed(self, batch: PollBatch | None, data: st.DataObject) -> None:
        if batch is None:
            return
        snapshots = {task.id: snapshot for task in batch.tasks if (snapshot := data.draw(SNAPSHOTS)) is not None}
        for entry in batch.entries:
            done = isinstance(snapshots.get(entry.task.id), TaskSucceeded)
            if done and entry.job.id in self.expected and not isinstance(entry.job.state, Saving):
                self.put(build_job(entry.job.id.removeprefix("job_"), Saving(entry.task, ()), at_s=self.now_s))
        for capability, durations_s in self.queue.measure_durations_s(batch, snapshots, now_s=self.now_s).items():
            assert all(duration_s >= 0 for duration_s in durations_s)
            self.queue.learn(capability, min(*durations_s, 60.0))
        self.queue.succeeded(batch, snapshots, now_s=self.now_s)
        self.open_batches.remove(batch)
        assert all(entry.failures == 0 for entry in batch.entries)

    @rule(batch=consumes(batches), error=ERRORS)
    def fail(self, batch: PollBatch | None, error: Exception) -> None:
        if batch is None:
            return
        failures = [entry.failures for entry in batch.entries]
        account_pause_s = self.queue.failed(batch, error, now_s=self.now_s)
        self.open_batches.remove(batch)
        if account_pause_s:
            assert [entry.failures for entry in batch.entries] == failures
        else:
            assert all(entry.failures == max(failures) + 1 for entry in batch.entries)
            assert all(entry.not_before_s > self.now_s for entry in batch.entries)

    @rule(target=saves)
    def take_saves(self) -> list[Job]:
        jobs = self.queue.take_saves(self.now_s)
        busy = {job_id for batch in self.open_batches for job_id in list_ids(batch)} | self.open_saves
        assert not {job.id for job in jobs} & busy
        self.open_saves |= {job.id for job in jobs}
        return jobs

    @rule(jobs=consumes(saves), stored=st.booleans())
    def end_saves(self, jobs: list[Job], stored: bool) -> None:
        for job in jobs:
            self.open_saves.discard(job.id)
            if stored:
                self.queue.update(
                    build_job(job.id.removeprefix("job_"), Failed("x"), at_s=self.now_s),
                    now_s=self.now_s,
                    now=to_moment(self.now_s),
                )
                self.expected.pop(job.id, None)
                self.queue.end_save(job.id)
            else:
                self.queue.postpone_save(job.id, now_s=self.now_s)

    @invariant()
    def holds_every_unfinished_job_and_no_other(self) -> None:
        assert set(self.queue.ids) == self.expected.keys()
        assert all(self.queue.find(job_id) is not None for job_id in self.expected)

    @invariant()
    def polls_no_more_at_once_than_allowed(self) -> None:
        assert len(self.open_batches) <= MAX_CONCURRENT_POLLS

    def teardown(self) -> None:
        """Every job that is left is asked about, or saved, within the longest pause there is."""
        for batch in self.open_batches:
            self.queue.succeeded(batch, {}, now_s=self.now_s)
        for job_id in self.open_saves:
            self.queue.end_save(job_id)
        missing, end_s = set(self.expected), self.now_s + 1000.0
        while missing:
            missing -= {job.id for job in self.queue.take_saves(self.now_s)}
            batch = self.queue.next_batch(self.now_s)
            if isinstance(batch, PollBatch):
                missing -= set(list_ids(batch))
                self.queue.succeeded(batch, {}, now_s=self.now_s)
            elif missing:
                self.now_s += max(batch.wait_s, 0.001)
                assert self.now_s <= end_s, f"never due: {missing}"


TestPollQueue = PollQueueMachine.TestCase


@given(failures=st.integers(1, 12), seed=st.integers(0, 9))
def test_each_failure_makes_the_pause_longer_and_the_batch_smaller(failures: int, seed: int) -> None:
    queue = PollQueue(batch_size=BATCH_SIZES.__getitem__, rng=Random(seed))
    for n in range(50):
        queue.update(build_job(n), now_s=0.0, now=START)
    now_s, sizes, pauses_s = 100.0, list[int](), list[float]()
    for _ in range(failures):
        batch = take_batch(queue, now_s)
        queue.failed(batch, ProviderUnavailable("down"), now_s=now_s)
        sizes.append(len(batch.entries))
        pauses_s.append(batch.entries[0].not_before_s - now_s)
        queue.remove(queue.ids - set(list_ids(batch)))  # follow the most urgent half
        now_s = batch.entries[0].not_before_s
    assert sizes == [max(1, 50 >> n) for n in range(failures)]
    growing = pauses_s[:6]
    assert all(later > earlier for earlier, later in itertools.pairwise(growing))
    assert all(pause_s <= 60 * 1.25 for pause_s in pauses_s)


@given(steps=st.lists(st.tuples(st.floats(0.0, 3.0), st.booleans()), min_size=6, max_size=40), seed=st.integers(0, 9))
def test_no_job_is_asked_about_before_its_pause_is_over_not_even_to_fill_a_batch(
    steps: list[tuple[float, bool]], seed: int
) -> None:
    queue = PollQueue(batch_size=lambda _: 7, rng=Random(seed))
    for n in range(20):
        queue.update(build_job(n), now_s=0.0, now=START)
    now_s = 10.0
    for seconds, has_failed in steps:
        now_s += seconds
        if isinstance(batch := queue.next_batch(now_s), Pause):
            continue
        assert all(entry.not_before_s <= now_s for entry in batch.entries)
        if has_failed:
            queue.failed(batch, ProviderUnavailable("down"), now_s=now_s)
        else:
            queue.succeeded(batch, {}, now_s=now_s)


def test_a_failed_job_does_not_fill_the_batch_of_another_before_its_pause_is_over() -> None:
    queue = build_queue(build_job(1))
    first = take_batch(queue, 10.0)
    queue.failed(first, ProviderUnavailable("down"), now_s=10.0)
    queue.update(build_job(2), now_s=10.5, now=to_moment(10.5))
    second = take_batch(queue, 10.5)
    queue.failed(second, ProviderUnavailable("down"), now_s=10.5)
    assert first.entries[0].not_before_s < second.entries[0].not_before_s
    assert list_ids(take_batch(queue, first.entries[0].not_before_s)) == ["job_1"]


def test_an_empty_queue_asks_for_nothing_ever() -> None:
    assert build_queue().next_batch(0.0) == Pause(float("inf"))


def test_the_pause_lasts_until_the_first_job_is_due() -> None:
    queue = build_queue(build_job(1), build_job(2, at_s=-2.0))
    assert queue.next_batch(0.0) == Pause(3.0)
    assert len(take_batch(queue, 3.0).entries) == 2


def test_jobs_that_are_due_soon_fill_the_room_and_are_not_counted_as_due() -> None:
    queue = build_queue(build_job(1), build_job(2, at_s=-5.0), build_job(3, at_s=-60.0), build_job(4, kind="few"))
    batch = take_batch(queue, 0.0)
    assert list_ids(batch) == ["job_3", "job_2", "job_1"]
    assert batch.due_count == 2


def test_a_batch_waits_for_the_rate_limit_and_not_in_the_middle_of_a_wave() -> None:
    queue = build_queue(*(build_job(n) for n in range(150)))
    spread = Allowance(spread_wait_s=0.15, burst_wait_s=0.0, remaining_count=5, window_s=1.0)
    assert queue.next_batch(6.0, spread) == Pause(0.15)
    first = take_batch(queue, 6.0)
    queue.succeeded(first, {task.id: TaskSucceeded() for task in first.tasks}, now_s=6.0)
    queue.remove(list_ids(first))
    assert isinstance(queue.next_batch(6.0, spread), PollBatch)


def test_a_batch_with_room_is_held_back_when_every_request_left_is_needed_for_full_ones() -> None:
    jobs = [build_job(n, kind="few", at_s=0.1 * n) for n in range(6)]
    queue = build_queue(*jobs, now_s=0.5)
    scarce = Allowance(0.0, 0.0, remaining_count=2, window_s=1.0)
    assert queue.next_batch(5.0, scarce) == Pause(5.2 - 5.0)
    assert len(list_ids(take_batch(queue, 5.2))) == 3


def test_a_job_that_comes_back_while_it_is_asked_about_is_not_asked_about_twice() -> None:
    queue = build_queue(build_job(1))
    batch = take_batch(queue, 9.0)
    queue.remove(["job_1"])  # pyright: ignore[reportArgumentType]  # a plain string does
    queue.update(build_job(1), now_s=9.0, now=to_moment(9.0))
    assert queue.next_batch(9.0) == Pause(float("inf"))
    queue.succeeded(batch, {}, now_s=9.0)
    assert isinstance(queue.next_batch(9.0), PollBatch)


def test_many_due_jobs_that_are_not_done_move_what_is_typical() -> None:
    """Or a wave of jobs would use up the account's requests for nothing."""
    queue = build_queue(*(build_job(n) for n in range(8)), *(build_job(n, at_s=4.0) for n in range(8, 16)), now_s=4.0)
    few_due = take_batch(queue, 5.0)
    assert few_due.due_count == 8
    queue.succeeded(few_due, {}, now_s=5.0)
    queue.update(build_job("later", at_s=4.0), now_s=5.0, now=to_moment(5.0))
    queue.remove([JobId(f"job_{n}") for n in range(16)])
    assert queue.next_batch(5.0) == Pause(4.0 + 5.0 * 1.03 - 5.0)


def test_only_polls_past_the_deadline_count_towards_giving_up() -> None:
    queue = build_queue(build_job(1))
    for now_s in [1000.0] * 20 + [2000.0] * (MAX_FAILED_POLLS_PAST_DEADLINE - 1):
        fail_once(queue, now_s)
    assert queue.find_hopeless_jobs() == []
    fail_once(queue, 2000.0)
    assert [job.id for job in queue.find_hopeless_jobs()] == ["job_1"]


def fail_once(queue: PollQueue, moment_s: float) -> None:
    batch = take_batch(queue, moment_s + 1e6)  # whatever the pause was
    queue.failed(batch, KeyError("x"), now_s=moment_s)


def judge(queue: PollQueue, snapshot: TaskSnapshot | None, now_s: float) -> TaskSnapshot | None:
    """What one answer about the queue's only job is taken for."""
    batch = take_batch(queue, now_s + 1e6)
    judged = queue.judge_losses(batch, {} if snapshot is None else {"task-1": snapshot}, now_s=now_s)
    queue.succeeded(batch, judged, now_s=now_s)
    return judged.get("task-1")


LOST = TaskLost(UpstreamFailed("no such task"))


def test_a_task_is_lost_when_every_answer_has_said_so_for_two_minutes() -> None:
    """Right after a submit a service may not know its own task; and the one who pays is not asked."""
    queue = build_queue(build_job(1))
    assert {type(judge(queue, LOST, 10.0 + step)) for step in range(100)} == {TaskLost}
    assert judge(queue, None, 120.0) is None
    assert judge(queue, LOST, 130.0) == TaskFailed(LOST.reason)


def test_a_task_that_is_known_in_between_is_not_lost() -> None:
    queue = build_queue(build_job(1))
    judge(queue, LOST, 10.0)
    judge(queue, TaskRunning(), 100.0)
    assert {type(judge(queue, LOST, 131.0 + step)) for step in range(100)} == {TaskLost}


def test_one_look_after_a_long_silence_is_not_enough_to_lose_a_task() -> None:
    queue = build_queue(build_job(1))
    assert [type(judge(queue, LOST, now_s)) for now_s in (10.0, 900.0, 901.0)] == [TaskLost, TaskLost, TaskFailed]


def test_a_job_taken_up_past_its_deadline_is_watched_for_a_minute() -> None:
    """The server was down, or the clock leapt: its first look must not end a good job."""
    job = build_job(1)
    moments = (to_moment(-7200.0), to_moment(0.0), to_moment(1790.0), to_moment(86400.0))
    assert [compute_deadline_s(job, now_s=50.0, now=now) - 50.0 for now in moments] == [1800.0, 1800.0, 60.0, 60.0]


def test_older_news_of_a_job_change_nothing() -> None:
    queue = build_queue(build_job(1, at_s=10.0), now_s=10.0)
    queue.update(build_job(1, Saving(None, ()), at_s=9.0), now_s=11.0, now=to_moment(11.0))
    assert queue.take_saves(11.0) == []


def test_what_was_done_before_anybody_looked_says_nothing_of_durations() -> None:
    seen, taken_over = build_job(1), build_job(2, at_s=-600.0)
    queue = build_queue(seen, taken_over)
    batch = take_batch(queue, 5.0)
    snapshots = {task.id: TaskSucceeded() for task in batch.tasks}
    assert queue.measure_durations_s(batch, snapshots, now_s=5.0) == {"generate_image": [4.5]}
