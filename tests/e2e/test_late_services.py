"""A service of the user's own that is not running yet: one sentence and the setting, and found when it is there."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.emulator.embedded import EmbeddedEmulator
from tests.support.service_jobs import OTHER_SERVICES, ServiceJob
from tests.support.tool_results import get_refusal, get_structured

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp import Client

    from tests.support.emulator_harness import FakeEngine

SETTINGS = {"openai_images": "OPENAI_BASE_URL", "sd_webui": "SD_WEBUI_URL", "comfyui": "COMFYUI_URL"}


@pytest.fixture
def port() -> int:
    """One at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """No service but those that a test names."""
    return {"ATELIER_HOME": str(tmp_path / "home")}


@pytest.mark.parametrize("service", OTHER_SERVICES, ids=lambda service: service.name)
async def test_a_service_that_starts_later_is_found_by_the_same_server(
    new_client: Callable[..., AbstractAsyncContextManager[Client]], engine: FakeEngine, service: ServiceJob, port: int
) -> None:
    settings = {name: value.format(base=f"http://127.0.0.1:{port}") for name, value in service.settings.items()}
    async with new_client(**settings) as client:
        refusal = get_refusal(await client.call_tool(service.tool, service.arguments))
        assert f"127.0.0.1:{port}" in refusal
        assert f"correct {SETTINGS[service.name]}" in refusal
        assert "Nothing was spent." in refusal
        async with EmbeddedEmulator(engine, port=port):
            drawn = get_structured(await client.call_tool(service.tool, service.arguments))
    assert drawn["state"] == "succeeded"
