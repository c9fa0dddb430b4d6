"""When jobs are polled, in numbers."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from atelier_mcp.server.jobs.schedule import (
    compute_backoff_s,
    compute_next_poll_age_s,
    compute_typical_s,
    estimate_duration_s,
)


def simulate_polls(done_at_s: float, *, typical_s: float | None, has_waiters: bool) -> list[float]:
    """The ages at which a job that is done at ``done_at_s`` is polled."""
    ages = [compute_next_poll_age_s(0.0, typical_s=typical_s, has_waiters=has_waiters)]
    while ages[-1] < done_at_s:
        ages.append(compute_next_poll_age_s(ages[-1], typical_s=typical_s, has_waiters=has_waiters))
    return ages


def test_the_first_look_comes_when_such_jobs_are_usually_done() -> None:
    assert simulate_polls(20.0, typical_s=20.0, has_waiters=True) == [20.0]


def test_a_kind_never_seen_is_looked_at_after_three_seconds() -> None:
    assert compute_next_poll_age_s(0.0, typical_s=None, has_waiters=True) == 3.0


def test_a_job_seen_early_is_looked_at_again_at_the_usual_time() -> None:
    assert compute_next_poll_age_s(7.0, typical_s=20.0, has_waiters=True) == 20.0


def test_steps_after_the_usual_time_begin_short_and_grow() -> None:
    ages = simulate_polls(60.0, typical_s=20.0, has_waiters=True)
    steps = [later - earlier for earlier, later in itertools.pairwise(ages)]
    assert steps[0] == pytest.approx(0.8)
    assert steps == sorted(steps)
    assert len(ages) < 20


def test_a_late_job_is_found_done_within_a_fifth_of_its_lateness() -> None:
    for done_at_s in (6.0, 11.0, 47.0):
        found_at_s = simulate_polls(done_at_s, typical_s=5.0, has_waiters=True)[-1]
        assert found_at_s - done_at_s <= 0.2 * (done_at_s - 5.0) + 0.25


def test_no_step_is_longer_than_fifteen_seconds_while_somebody_waits() -> None:
    assert compute_next_poll_age_s(7200.0, typical_s=5.0, has_waiters=True) == 7215.0


def test_looks_are_four_times_rarer_when_nobody_waits() -> None:
    awaited_step_s = compute_next_poll_age_s(30.0, typical_s=20.0, has_waiters=True) - 30.0
    assert compute_next_poll_age_s(30.0, typical_s=20.0, has_waiters=False) - 30.0 == pytest.approx(4 * awaited_step_s)


def test_backing_off_doubles_up_to_a_minute_with_a_quarter_of_jitter() -> None:
    for failures, middle in ((1, 1.0), (2, 2.0), (4, 8.0), (7, 60.0), (40, 60.0), (5000, 60.0)):
        pauses = [compute_backoff_s(failures, retry_after_s=None, rng=Random(seed)) for seed in range(50)]
        assert 0.75 * middle <= min(pauses) < max(pauses) <= 1.25 * middle


def test_backing_off_is_never_shorter_than_the_upstream_asked() -> None:
    pauses = [compute_backoff_s(failures, retry_after_s=17.0, rng=Random(failures)) for failures in range(1, 12)]
    assert all(17.0 <= pause <= 17.5 for pause in pauses)


def test_a_job_done_at_its_first_look_counts_as_a_little_shorter() -> None:
    assert estimate_duration_s(not_done_at_s=None, done_at_s=10.0) == 9.0


def test_a_job_seen_undone_and_then_done_took_as_long_as_the_middle() -> None:
    assert estimate_duration_s(not_done_at_s=4.5, done_at_s=5.5) == 5.0


def test_outliers_do_not_move_what_is_typical() -> None:
    assert compute_typical_s([5.0] * 20 + [3600.0] * 5) == 5.0
    assert compute_typical_s([5.0]) == 5.0
