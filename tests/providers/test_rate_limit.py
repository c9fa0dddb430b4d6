"""How fast an account is asked, in numbers."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from atelier_mcp.server.providers.rate_limit import PollAllowance, RateLimit, TokenBucket

if TYPE_CHECKING:
    from tests.support.clock import AutoAdvanceClock


def simulate_departures(rate_limit: RateLimit, count: int, *, allow_burst: bool) -> list[float]:
    """When each of ``count`` requests leaves that would all rather leave at once."""
    now_s, sent_at_s = 0.0, list[float]()
    while len(sent_at_s) < count:
        now_s += rate_limit.compute_wait_s(now_s, allow_burst=allow_burst)
        rate_limit.take(now_s)
        sent_at_s.append(now_s)
    return sent_at_s


def test_no_second_holds_more_requests_than_allowed() -> None:
    for allow_burst in (True, False):
        sent_at_s = simulate_departures(RateLimit(6.0), 60, allow_burst=allow_burst)
        assert max(sum(begin <= moment < begin + 1.0 for moment in sent_at_s) for begin in sent_at_s) <= 6


def test_requests_are_spread_out_over_the_second() -> None:
    sent_at_s = simulate_departures(RateLimit(6.0), 6, allow_burst=False)
    assert all(later - earlier >= 1 / 6 for earlier, later in itertools.pairwise(sent_at_s))


def test_in_haste_a_whole_second_of_requests_leaves_at_once() -> None:
    assert simulate_departures(RateLimit(6.0), 6, allow_burst=True) == [0.0] * 6


def test_less_than_one_a_second_is_kept_too() -> None:
    sent_at_s = simulate_departures(RateLimit(0.5), 4, allow_burst=True)
    assert all(later - earlier >= 2.0 for earlier, later in itertools.pairwise(sent_at_s))


def test_nothing_leaves_while_the_upstream_asked_to_keep_away() -> None:
    rate_limit = RateLimit(6.0)
    rate_limit.block(30.0)
    assert rate_limit.compute_wait_s(10.0, allow_burst=True) == 20.0


async def test_who_waits_for_the_limit_leaves_when_one_more_may(clock: AutoAdvanceClock) -> None:
    """In the order of asking, spread out, and seen by whoever plans with the same limit."""
    rate_limit, left = RateLimit(6.0), list[tuple[int, float]]()

    async def leave(number: int) -> None:
        await rate_limit.acquire(clock)
        left.append((number, clock.monotonic()))

    await asyncio.gather(*(leave(number) for number in range(12)))
    assert [number for number, _ in left] == list(range(12))
    assert all(later - earlier >= 1 / 6 for (_, earlier), (_, later) in itertools.pairwise(left))
    assert rate_limit.compute_wait_s(clock.monotonic(), allow_burst=False) > 0


async def test_the_first_request_of_a_poll_is_not_counted_twice(clock: AutoAdvanceClock) -> None:
    rate_limit = RateLimit(6.0)
    rate_limit.take(clock.monotonic())
    allowance = PollAllowance(rate_limit, clock)
    await allowance.acquire()
    assert (clock.monotonic(), rate_limit.count_remaining(clock.monotonic())) == (0.0, 5)
    await allowance.acquire()
    assert clock.monotonic() >= 1 / 6
    assert rate_limit.count_remaining(clock.monotonic()) == 4


async def measure_seconds(bucket: TokenBucket, clock: AutoAdvanceClock, count: int) -> float:
    """How long ``count`` requests take that leave one after the other, as fast as they may."""
    started_s = clock.monotonic()
    for _ in range(count):
        await bucket.acquire()
    return clock.monotonic() - started_s


async def test_processes_of_one_account_keep_its_rate_together(clock: AutoAdvanceClock) -> None:
    """Each sends at a share of it, which grows as the others leave."""
    bucket, sharers = TokenBucket(per_s=6.0, clock=clock), [1]
    bucket.share(lambda: sharers[0])
    await measure_seconds(bucket, clock, 6)  # what was saved up
    assert round(await measure_seconds(bucket, clock, 60)) == 10
    sharers[0] = 3
    assert round(await measure_seconds(bucket, clock, 60)) == 30
    sharers[0] = 1
    assert round(await measure_seconds(bucket, clock, 60)) == 10
