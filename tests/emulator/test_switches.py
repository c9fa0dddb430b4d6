"""Switches of the emulated services, set by texts as the command line has them."""

from __future__ import annotations

import pytest

from atelier_mcp.server.emulator.mhapi.switches import MhapiSwitches
from atelier_mcp.server.emulator.sd_aws.switches import SdAwsSwitches
from atelier_mcp.server.emulator.upstreams import parse_switches


def test_texts_set_the_switches_of_several_services() -> None:
    texts = ["sd_aws.version=1.4", "mhapi.always_200=true", "sd_aws.gateway_seconds=5"]
    expected = (SdAwsSwitches(version="1.4", gateway_seconds=5), MhapiSwitches(always_200=True))
    assert parse_switches(texts) == expected


@pytest.mark.parametrize(
    "text",
    ["nobody.version=1.4", "sd_aws.colour=red", "sd_aws=1.4", "sd_aws.version=2.0", "mhapi.always_200=yes", ""],
)
def test_a_switch_or_a_value_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_switches([text])
