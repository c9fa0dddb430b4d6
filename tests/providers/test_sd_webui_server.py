"""Which server of the family answers at the address, and when it is asked."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import (
    ConfigurationError,
    ProviderUnavailable,
)
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.testing import provider_calls
from tests.support.sd_webui_script import (
    PASSWORD,
    create_webui,
    script_server,
    set_answers,
)
from tests.support.upstream_script import UpstreamScript, build_response

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.sd_webui.provider import SdWebuiProvider
    from tests.support.clock import AutoAdvanceClock


REQUEST_FOR_A_KITE = GenerateImage.model_validate({"prompt": "a kite"})


async def plan(provider: SdWebuiProvider) -> Plan:
    """A plain drawing, which makes it ask the server what it is."""
    return await provider_calls.plan(provider, REQUEST_FOR_A_KITE, {})


@pytest.mark.parametrize(
    ("answers", "title"),
    [
        ({}, "AUTOMATIC1111"),
        ({"/controlnet/version": None}, "reForge"),
        ({"/sdapi/v1/sd-vae": None, "/sdapi/v1/sd-modules": [], "/controlnet/version": None}, "Forge"),
        ({"/sdapi/v1/schedulers": None, "/controlnet/version": None}, "Forge Classic"),
        ({"/sdapi/v1/version": {"updated": "2026-07-23"}, "/sdapi/v1/schedulers": None}, "SD.Next"),
        ({"/v1/models": {"data": [{"id": "sd-cpp-local"}]}, "/sdapi/v1/scripts": None}, "stable-diffusion.cpp"),
    ],
)
async def test_servers_of_the_family_are_told_apart(
    webui: SdWebuiProvider, script: UpstreamScript, answers: dict[str, Any], title: str
) -> None:
    set_answers(script, answers)
    assert (await plan(webui)).notes[0].startswith(f"{title} at webui.example:7860 with v1-5.safetensors")


async def test_nothing_is_asked_before_it_is_needed(webui: SdWebuiProvider, script: UpstreamScript) -> None:
    assert script.requests == []
    await plan(webui)
    count = len(script.requests)
    await plan(webui)
    assert len(script.requests) == count, "what is known is not asked again"


async def test_a_server_that_starts_later_is_found_at_once(webui: SdWebuiProvider, script: UpstreamScript) -> None:
    """One sentence and the setting, until it runs; a refused connection is not remembered."""
    script.set_steps("/sdapi/v1/samplers", httpx2.ConnectError("no"))
    with pytest.raises(ProviderUnavailable) as caught:
        await plan(webui)
    assert caught.value.message == "No WebUI answers at webui.example:7860."
    assert "SD_WEBUI_URL" in caught.value.hint
    script_server(script)
    assert await plan(webui)


@pytest.mark.parametrize("answer", [{"detail": "Not Found"}, {"hello": "world"}])
async def test_a_server_without_its_api_is_named_as_such(
    webui: SdWebuiProvider, script: UpstreamScript, answer: Any
) -> None:
    status = 404 if "detail" in answer else 200
    script.set_steps("/sdapi/v1/samplers", build_response(answer, status))
    with pytest.raises(ConfigurationError, match="API is off") as caught:
        await plan(webui)
    assert "--api" in caught.value.hint


async def test_credentials_go_with_every_request(webui: SdWebuiProvider, script: UpstreamScript) -> None:
    """The server sends no challenge that would ask for them."""
    planned = await plan(webui)
    await provider_calls.submit(webui, planned.sent_request or planned.request, {})
    assert {sent.headers["authorization"] for sent in script.requests} == {
        f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"
    }


@pytest.mark.parametrize("variables", [{"SD_WEBUI_URL": "webui"}, {"SD_WEBUI_PASSWORD": ""}])
def test_an_address_or_credentials_that_cannot_work_are_refused(
    script: UpstreamScript, clock: AutoAdvanceClock, variables: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError, match="SD_WEBUI"):
        create_webui(script, clock, **variables)
