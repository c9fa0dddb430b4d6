"""When to poll a job, when to give up, and how long to keep away after a failure. Numbers in, numbers out.

The first poll comes when such jobs are usually done. After that a job is late, and polls come at steps that begin
short and grow with how late it is, since a job twice as late is half as likely to be done within the next second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

DEFAULT_TYPICAL_S: Final = 3.0
"""First poll of a job whose like was never seen."""
MIN_STEP_S: Final = 0.25
MAX_STEP_S: Final = 15.0
STEP_PER_TYPICAL: Final = 0.04
STEP_PER_LATENESS: Final = 0.2
NO_WAITER_FACTOR: Final = 4.0
"""Steps are this much longer while nobody waits for the job."""

MAX_DURATION_SAMPLES: Final = 31
TYPICAL_QUANTILE: Final = 0.25
"""Polling when a quarter is done costs some polls too early; polling at the median leaves half of the jobs waiting."""
FIRST_POLL_DURATION_FACTOR: Final = 0.9
"""A job done at its first poll was done earlier, nobody knows by how much: the next is polled a little sooner."""

TOO_EARLY_FACTOR: Final = 1.03
OUTLIER_FACTOR: Final = 1.5
"""Jobs older than this many times the usual say nothing of what is usual."""

FIRST_BACKOFF_S: Final = 1.0
MAX_BACKOFF_S: Final = 60.0
MAX_HINT_S: Final = 300.0
"""The longest pause an upstream may ask for: it stops every job of its account."""


def compute_next_poll_age_s(age_s: float, *, typical_s: float | None, has_waiters: bool) -> float:
    """The age at which to next poll a job that was not done at ``age_s``.

    ``typical_s`` is how long such jobs usually take, if known; ``has_waiters`` says that somebody waits for it.
    """
    expected_s = DEFAULT_TYPICAL_S if typical_s is None else typical_s
    min_step_s = min(max(MIN_STEP_S, STEP_PER_TYPICAL * expected_s), MAX_STEP_S)
    # Nothing to see before the usual time, however impatient the waiter.
    if age_s < expected_s:
        return max(expected_s, age_s + MIN_STEP_S)
    step_s = min(max(min_step_s, STEP_PER_LATENESS * (age_s - expected_s)), MAX_STEP_S)
    return age_s + (step_s if has_waiters else step_s * NO_WAITER_FACTOR)


def compute_backoff_s(failures: int, *, retry_after_s: float | None, rng: Random) -> float:
    """How long to keep away after the ``failures``-th failure in a row (from 1), with jitter of a quarter either way.

    A hint of the upstream is a lower bound, up to ``MAX_HINT_S``: the jitter is then only added.
    """
    # Beyond some thousand failures, a night without a network, the power would be no float any more.
    doublings = min(failures - 1, 30)
    backoff = min(FIRST_BACKOFF_S * 2.0**doublings, MAX_BACKOFF_S) * rng.uniform(0.75, 1.25)
    if retry_after_s is None:
        return backoff
    return min(max(0.0, retry_after_s), MAX_HINT_S) + min(backoff, FIRST_BACKOFF_S) * rng.uniform(0, 0.25)


def estimate_duration_s(*, not_done_at_s: float | None, done_at_s: float) -> float:
    """The likeliest duration of a job seen undone at one age, if at all, and done at another."""
    if not_done_at_s is None:
        return done_at_s * FIRST_POLL_DURATION_FACTOR
    return (not_done_at_s + done_at_s) / 2


def compute_typical_s(samples_s: Sequence[float]) -> float:
    """What the remembered durations say of the next one; a few outliers, however wild, do not move it."""
    ordered = sorted(samples_s)
    return ordered[int(TYPICAL_QUANTILE * (len(ordered) - 1))]


def adjust_typical_s(typical_s: float, *, undone_at_s: float) -> float:
    """What is typical when a whole batch of such jobs was still undone at the age ``undone_at_s``."""
    is_telling = typical_s <= undone_at_s < OUTLIER_FACTOR * typical_s
    return undone_at_s * TOO_EARLY_FACTOR if is_telling else typical_s
