"""One server that is killed and spoilt amid its jobs loses none, pays for none twice and shows no half picture."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.chaos import kills, spoilt_surroundings
from tests.chaos.kill_points import KILL_POINTS
from tests.chaos.one_process import open_site

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path
    from random import Random

    from tests.chaos.server_forks import ServerForks
    from tests.chaos.site import ChaosSite


POINTS: Final = [point for point in KILL_POINTS if point.number not in (6, 8, 10, 11, 12, 16)]
"""Those before and after which the ledger or the store knows the same are left to ``make chaos``."""


@pytest.fixture(scope="module")
async def site(forks: ServerForks, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[ChaosSite]:
    """The server of all tests here: what one of them leaves behind, the next has to live with."""
    async with open_site(forks, tmp_path_factory.mktemp("chaos")) as running:
        yield running


async def test_a_kill_at_any_point_loses_nothing_and_pays_nothing_twice(site: ChaosSite) -> None:
    """What becomes of the job is what the ledger knew."""
    assert await kills.kill_at_points(site, POINTS) == []
    assert (await site.audit()).failures == []


async def test_a_kill_at_a_random_moment_of_several_jobs_does_neither(site: ChaosSite, rng: Random) -> None:
    await kills.kill_at_random(site, rounds=3, batch=4, longest_s=1.0, rng=rng)
    assert (await site.audit()).failures == []


async def test_of_answers_that_were_lost_on_their_way_none_is_asked_for_again(site: ChaosSite) -> None:
    assert await spoilt_surroundings.lose_answers(site, rounds=1) == []
    assert (await site.audit()).failures == []


async def test_pictures_come_though_half_of_them_cannot_be_written_at_first(site: ChaosSite) -> None:
    await spoilt_surroundings.fail_half_of_writes(site, batch=2)
    assert (await site.audit()).failures == []


async def test_a_clock_that_leaps_by_an_hour_either_way_ends_no_job(site: ChaosSite) -> None:
    assert await spoilt_surroundings.leap(site, rounds=1) == []
    assert (await site.audit()).failures == []


async def test_jobs_go_on_through_ledgers_of_older_and_newer_versions(site: ChaosSite) -> None:
    """And one that this version cannot read stops it, and stays as it is."""
    assert await spoilt_surroundings.change_ledger(site) == []
    assert (await site.audit()).failures == []


async def test_the_last_pictures_of_a_budget_are_granted_once_after_all_that(site: ChaosSite) -> None:
    """Nothing of it was lost, and nothing counted twice."""
    assert await site.race_for_the_last() == []
    assert (await site.audit()).failures == []


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of one's own, as Linux has them")
async def test_a_disk_that_is_full_for_a_while_delays_pictures_and_loses_none(
    forks: ServerForks, tmp_path: Path
) -> None:
    """A folder that is read-only for a while is left to ``make chaos``: its server takes long to start."""
    from tests.support.bad_disks import FullDisk, can_mount

    if not can_mount():
        pytest.skip("no file system of one's own can be mounted here")
    disk = FullDisk(tmp_path / "home")
    async with open_site(forks, tmp_path, disk) as site:
        assert await spoilt_surroundings.spoil_disk(site, disk, rounds=1) == []
        assert (await site.audit()).failures == []
