"""The emulator answers every recorded request of the middleware on AWS as the vendor's own code did.

Status, keys, kinds and words are compared exchange by exchange, in the order of the recording; of what the gateway and
the storage say, which was imitated, the words are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from atelier_mcp.server.emulator.sd_aws.switches import SdAwsSwitches
from tests.support.recordings import SD_AWS_VERSIONS, load_exchanges, load_stories
from tests.support.sd_aws_platform import SLOW_S, act_before
from tests.support.sd_aws_replay import SdAwsReplay, serve_files

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.emulator_harness import EmulatorHarness

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

COUNTS: Final = {"1.3": (31, 325), "1.4": (48, 436), "1.5": (51, 496), "1.7": (53, 522)}
"""Stories and exchanges of each version."""
FOLDED_HEADERS: Final = "the emulator's server folds the names of headers, so Username is username there"
TOLERATED: Final = {
    ("1.5", "the user in other headers 4"): FOLDED_HEADERS,
    ("1.7", "the user in other headers 4"): FOLDED_HEADERS,
}
"""Exchanges that differ, by version and name, and why they may; one that no longer does is to be struck out."""


@pytest.mark.parametrize("version", SD_AWS_VERSIONS)
async def test_every_recorded_exchange_is_answered_as_recorded(version: Any, new_site: NewSite) -> None:
    """With ``-s`` it prints the counts."""
    switches = SdAwsSwitches(version=version, built_in_checkpoints=False)
    site = await new_site(task_seconds=SLOW_S, switches=(switches,))
    differences: dict[str, list[str]] = {}
    async with serve_files() as files_url:
        replay = SdAwsReplay(site, version, files_url)
        for exchange in load_exchanges("sd_aws", version):
            await act_before(replay, exchange)
            if found := await replay.play(exchange):
                differences[exchange.name] = found
    tolerated = {name for tolerating, name in TOLERATED if tolerating == version}
    stories, exchanges = COUNTS[version]
    summary = f"v{version}: {stories} stories, {exchanges} exchanges, {len(differences.keys() - tolerated)} differ"
    print(summary)  # noqa: T201 - what somebody who runs this with -s wants to know
    assert {name: found for name, found in differences.items() if name not in tolerated} == {}
    assert tolerated <= differences.keys(), "what no longer differs is no longer to be tolerated"


@pytest.mark.parametrize("version", SD_AWS_VERSIONS)
def test_no_recorded_story_is_left_out(version: str) -> None:
    stories = load_stories("sd_aws", version)
    assert (len(stories), sum(map(len, stories.values()))) == COUNTS[version]
