"""Three servers on one PostgreSQL and one bucket, of which any may die, be stopped or be cut off: no job suffers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.chaos import kills, replicas
from tests.chaos.kill_points import AT_UPSTREAM, KILL_POINTS
from tests.support.postgres import find_what_is_missing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from random import Random

    from tests.chaos.replicas import Replicas
    from tests.chaos.server_forks import ServerForks
    from tests.support.buckets import BucketService

POINTS: Final = [point for point in KILL_POINTS if point.number in (AT_UPSTREAM, 13)]
"""One amid the submit, and one in the hands of the account's owner, between a picture and its record."""


@pytest.fixture(scope="module")
async def site(forks: ServerForks, moto: BucketService) -> AsyncGenerator[Replicas]:
    """The servers of all tests here: what one of them leaves behind, the next has to live with."""
    if missing := find_what_is_missing():
        pytest.skip(missing)
    async with replicas.open_replicas(forks, moto) as running:
        yield running


async def test_a_kill_of_one_server_leaves_its_jobs_to_the_others(site: Replicas) -> None:
    assert await kills.kill_at_points(site, POINTS) == []
    assert (await site.audit()).failures == []


async def test_so_does_one_at_a_random_moment(site: Replicas, rng: Random) -> None:
    await kills.kill_at_random(site, rounds=1, batch=4, longest_s=2.0, rng=rng)
    assert (await site.audit()).failures == []


async def test_a_database_that_is_killed_and_comes_back_has_lost_no_job(site: Replicas, rng: Random) -> None:
    await replicas.restart_postgres(site, rounds=1, batch=4, rng=rng)
    assert (await site.audit()).failures == []


async def test_an_owner_cut_off_from_the_database_is_replaced_and_does_no_harm_when_it_is_back(site: Replicas) -> None:
    assert await replicas.cut_owner_off(site, rounds=1, batch=3) == []
    assert (await site.audit()).failures == []


async def test_neither_does_one_that_was_stopped(site: Replicas) -> None:
    assert await replicas.pause_owner(site, rounds=1, batch=3) == []
    assert (await site.audit()).failures == []


async def test_a_sender_cut_off_from_the_database_amid_its_submit_still_tells_the_task(site: Replicas) -> None:
    await replicas.cut_sender_off(site, rounds=1)
    assert (await site.audit()).failures == []


async def test_pictures_come_though_the_bucket_fails_half_of_its_writes(site: Replicas, rng: Random) -> None:
    await replicas.fail_half_of_writes(site, batch=5, rng=rng)
    assert (await site.audit()).failures == []


async def test_three_servers_grant_the_last_pictures_of_a_budget_once(site: Replicas) -> None:
    assert await site.race_for_the_last() == []
    assert (await site.audit()).failures == []
