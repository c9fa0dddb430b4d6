"""A provider against a scripted upstream; retries do not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import stamina

from atelier_mcp.server.providers.mhapi.provider import MhapiProvider
from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider
from tests.support.clock import AutoAdvanceClock
from tests.support.miaohua_script import EMAIL, PASSWORD
from tests.support.sd_webui_script import IMG2IMG, TXT2IMG, build_drawing, create_webui, script_server
from tests.support.sensenova_script import create_provider
from tests.support.upstream_script import UpstreamScript

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from atelier_mcp.server.providers.sd_webui.provider import SdWebuiProvider
    from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider

ACCESS_KEY = "AK-visible-nowhere"
SECRET_KEY = "SK-hidden-everywhere"


@pytest.fixture(autouse=True)
def _no_waiting() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]  # an autouse fixture
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def clock() -> AutoAdvanceClock:
    return AutoAdvanceClock()


@pytest.fixture
def script() -> UpstreamScript:
    return UpstreamScript()


@pytest.fixture
async def mhapi(clock: AutoAdvanceClock, script: UpstreamScript) -> AsyncGenerator[MhapiProvider]:
    provider = MhapiProvider(
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        base_url="https://mhapi.example",
        clock=clock,
        transport=script.transport,
    )
    yield provider
    await provider.close()


@pytest.fixture
async def miaohua(clock: AutoAdvanceClock, script: UpstreamScript) -> AsyncGenerator[MiaohuaProvider]:
    provider = MiaohuaProvider(
        email=EMAIL,
        password=PASSWORD,
        base_url="https://miaohua.example",
        clock=clock,
        transport=script.transport,
    )
    yield provider
    await provider.close()


@pytest.fixture
async def sensenova(script: UpstreamScript, clock: AutoAdvanceClock) -> AsyncGenerator[SensenovaProvider]:
    provider = create_provider(script, clock)
    yield provider
    await provider.close()


@pytest.fixture
async def webui(script: UpstreamScript, clock: AutoAdvanceClock) -> AsyncGenerator[SdWebuiProvider]:
    """An AUTOMATIC1111 with every extension."""
    script_server(script)
    script.set_steps(TXT2IMG, build_drawing())
    script.set_steps(IMG2IMG, build_drawing())
    provider = create_webui(script, clock)
    yield provider
    await provider.close()
