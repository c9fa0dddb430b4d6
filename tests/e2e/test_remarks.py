"""What a painter leaves out of a picture is told to whoever asked for it, whichever protocol it is spoken to by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.service_jobs import CARD_SERVICES, OTHER_SERVICES
from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine
    from tests.support.service_jobs import ServiceJob


@pytest.fixture(params=[*CARD_SERVICES, *OTHER_SERVICES], ids=lambda service: service.name)
def service(request: pytest.FixtureRequest) -> ServiceJob:
    return request.param


@pytest.fixture
def environ(service: ServiceJob, site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """This service alone."""
    settings = {name: value.format(base=site.emulator.base_url) for name, value in service.settings.items()}
    return {"ATELIER_HOME": str(tmp_path / "home"), "ATELIER_TOOLSETS": "all", **settings}


async def test_what_is_not_in_the_picture_is_said_beside_it(
    service: ServiceJob, client: Client, engine: FakeEngine
) -> None:
    if service.preparation:
        await client.call_tool(*service.preparation)
    engine.notes = ("Not drawn: a unicorn.", "Not understood: gloaming.")
    result = await client.call_tool(service.tool, service.arguments)
    assert get_structured(result)["state"] == "succeeded"
    assert 'The service remarks: "Not drawn: a unicorn.; Not understood: gloaming."' in get_text(result)


async def test_nothing_is_said_where_nothing_is_missing(service: ServiceJob, client: Client) -> None:
    if service.preparation:
        await client.call_tool(*service.preparation)
    assert "remarks" not in get_text(await client.call_tool(service.tool, service.arguments))
