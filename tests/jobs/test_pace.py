"""How fast an account is asked, in numbers."""

from __future__ import annotations

import itertools

from atelier_mcp.server.jobs.pace import Pace


def departures(pace: Pace, count: int, *, haste: bool) -> list[float]:
    """When each of ``count`` requests leaves that would all rather leave at once."""
    now_s, left = 0.0, list[float]()
    while len(left) < count:
        now_s += pace.wait_s(now_s, haste=haste)
        pace.take(now_s)
        left.append(now_s)
    return left


def test_no_second_holds_more_requests_than_allowed() -> None:
    for haste in (True, False):
        left = departures(Pace(6.0), 60, haste=haste)
        assert max(sum(begin <= moment < begin + 1.0 for moment in left) for begin in left) <= 6


def test_requests_are_spread_out_over_the_second() -> None:
    left = departures(Pace(6.0), 6, haste=False)
    assert all(later - earlier >= 1 / 6 for earlier, later in itertools.pairwise(left))


def test_in_haste_a_whole_second_of_requests_leaves_at_once() -> None:
    assert departures(Pace(6.0), 6, haste=True) == [0.0] * 6


def test_less_than_one_a_second_is_kept_too() -> None:
    left = departures(Pace(0.5), 4, haste=True)
    assert all(later - earlier >= 2.0 for earlier, later in itertools.pairwise(left))


def test_nothing_leaves_while_the_upstream_asked_to_keep_away() -> None:
    pace = Pace(6.0)
    pace.close(30.0)
    assert pace.wait_s(10.0, haste=True) == 20.0
