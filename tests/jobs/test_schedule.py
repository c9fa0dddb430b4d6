"""When jobs are looked at, in numbers."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from atelier_mcp.server.jobs.schedule import backoff_s, duration_s, next_look_s, patience_s, typical_of


def looks_until(done_at_s: float, *, typical_s: float | None, attended: bool) -> list[float]:
    """The ages at which a job that is done at ``done_at_s`` is looked at."""
    ages = [next_look_s(0.0, typical_s=typical_s, attended=attended)]
    while ages[-1] < done_at_s:
        ages.append(next_look_s(ages[-1], typical_s=typical_s, attended=attended))
    return ages


def test_the_first_look_comes_when_such_jobs_are_usually_done() -> None:
    assert looks_until(20.0, typical_s=20.0, attended=True) == [20.0]


def test_a_kind_never_seen_is_looked_at_after_three_seconds() -> None:
    assert next_look_s(0.0, typical_s=None, attended=True) == 3.0


def test_a_job_seen_early_is_looked_at_again_at_the_usual_time() -> None:
    assert next_look_s(7.0, typical_s=20.0, attended=True) == 20.0


def test_steps_after_the_usual_time_begin_short_and_grow() -> None:
    ages = looks_until(60.0, typical_s=20.0, attended=True)
    steps = [later - earlier for earlier, later in itertools.pairwise(ages)]
    assert steps[0] == pytest.approx(0.8)
    assert steps == sorted(steps)
    assert len(ages) < 20


def test_a_late_job_is_found_done_within_a_fifth_of_its_lateness() -> None:
    for done_at_s in (6.0, 11.0, 47.0):
        found_at_s = looks_until(done_at_s, typical_s=5.0, attended=True)[-1]
        assert found_at_s - done_at_s <= 0.2 * (done_at_s - 5.0) + 0.25


def test_no_step_is_longer_than_fifteen_seconds_while_somebody_waits() -> None:
    assert next_look_s(7200.0, typical_s=5.0, attended=True) == 7215.0


def test_looks_are_four_times_rarer_when_nobody_waits() -> None:
    attended = next_look_s(30.0, typical_s=20.0, attended=True) - 30.0
    assert next_look_s(30.0, typical_s=20.0, attended=False) - 30.0 == pytest.approx(4 * attended)


def test_backing_off_doubles_up_to_a_minute_with_a_quarter_of_jitter() -> None:
    for failures, middle in ((1, 1.0), (2, 2.0), (4, 8.0), (7, 60.0), (40, 60.0)):
        pauses = [backoff_s(failures, retry_after_s=None, random=Random(seed)) for seed in range(50)]
        assert 0.75 * middle <= min(pauses) < max(pauses) <= 1.25 * middle


def test_backing_off_is_never_shorter_than_the_upstream_asked() -> None:
    pauses = [backoff_s(failures, retry_after_s=17.0, random=Random(failures)) for failures in range(1, 12)]
    assert all(17.0 <= pause <= 17.5 for pause in pauses)


def test_a_job_done_at_its_first_look_counts_as_a_little_shorter() -> None:
    assert duration_s(not_done_at_s=None, done_at_s=10.0) == 9.0


def test_a_job_seen_undone_and_then_done_took_as_long_as_the_middle() -> None:
    assert duration_s(not_done_at_s=4.5, done_at_s=5.5) == 5.0


def test_outliers_do_not_move_what_is_typical() -> None:
    assert typical_of([5.0] * 20 + [3600.0] * 5) == 5.0
    assert typical_of([5.0]) == 5.0


def test_training_has_a_day_and_a_picture_half_an_hour() -> None:
    assert patience_s("train_lora") == 86_400
    assert patience_s("generate_image") == 1_800
