"""How the emulator is started, reached and left."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.emulator.app import create_app
from atelier_mcp.server.emulator.embedded import EmbeddedEmulator
from atelier_mcp.server.emulator.settings import EmulatorSettings
from atelier_mcp.server.emulator.standalone import format_exports, serve
from tests.support.clock import ManualUnixClock
from tests.support.emulator_harness import BOUND_S, EmulatorHarness, FakeEngine, encode_plain_image

if TYPE_CHECKING:
    from pathlib import Path


async def test_it_leaves_signals_and_output_to_the_program(capfd: pytest.CaptureFixture[str]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with EmulatorHarness(EmulatorSettings(), FakeEngine(), ManualUnixClock()) as site:
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
        await site.get("/v1/face/models")
    assert capfd.readouterr().out == ""


async def test_it_is_gone_when_left() -> None:
    async with EmbeddedEmulator(FakeEngine()) as emulator:
        url = emulator.base_url
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"{url}/_control/clock")


async def test_an_error_inside_comes_out_as_it_is() -> None:
    with pytest.raises(LookupError, match="inside"):
        async with EmbeddedEmulator(FakeEngine()):
            raise LookupError("inside")


async def test_it_can_be_left_in_the_middle_of_a_rendering() -> None:
    engine = FakeEngine()
    engine.answer_gate.clear()
    async with asyncio.timeout(BOUND_S), EmulatorHarness(EmulatorSettings(), engine, ManualUnixClock()) as site:
        await site.submit_task("/v1/imgenstd/imgen", model_id="artist_v1.0", prompt="a cat")
        while not engine.calls:
            await asyncio.sleep(0)


async def test_a_port_in_use_is_an_oserror() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            async with EmbeddedEmulator(FakeEngine(), port=port):
                pass


async def test_a_folder_that_cannot_be_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotADirectoryError):
        async with EmbeddedEmulator(FakeEngine(), EmulatorSettings(state_dir=tmp_path / "file")):
            pass


async def test_the_program_serves_until_cancelled_and_says_where() -> None:
    urls: asyncio.Queue[str] = asyncio.Queue()
    serving = asyncio.create_task(serve(EmulatorSettings(), FakeEngine(), port=0, on_ready=urls.put_nowait))
    async with asyncio.timeout(BOUND_S):
        url = await urls.get()
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            assert (await client.get(f"{url}/mhapi/v1/face/models")).status_code == 401
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving


async def test_the_exports_lead_a_client_to_the_demo_account() -> None:
    async with EmulatorHarness(EmulatorSettings(), FakeEngine(), ManualUnixClock()) as site:
        lines = format_exports(site.emulator.base_url).splitlines()
        values = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        token = site.sign_token(iss=values["MHAPI_ACCESS_KEY"], key=values["MHAPI_SECRET_KEY"])
        headers = {"Authorization": f"Bearer {token}"}
        response = await site.client.get(f"{values['MHAPI_BASE_URL']}/v1/face/models", headers=headers)
    assert response.status_code == 200


async def test_it_works_without_a_socket_too() -> None:
    app = create_app(EmulatorSettings(), FakeEngine(), ManualUnixClock())
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://localhost", verify=False) as client,
    ):
        url = (await client.post("/_control/pictures", content=encode_plain_image())).json()["url"]
        assert url.startswith("http://localhost/files/pictures/")
        assert (await client.get(url)).content == encode_plain_image()


async def test_settings_are_shown_and_changed_while_it_runs() -> None:
    async with EmulatorHarness(EmulatorSettings(), FakeEngine(), ManualUnixClock()) as site:
        changed = await site.call_control("PATCH", "/settings", {"task_seconds": 9, "mhapi": {"lora_done": True}})
        assert (changed["task_seconds"], changed["mhapi"]["lora_done"]) == (9, True)
        assert await site.call_control("GET", "/settings") == changed
        bad: list[dict[str, Any]] = [{"colour": "red"}, {"state_dir": "/tmp"}, {"mhapi": {"colour": "red"}}]
        for document in bad:
            response = await site.client.patch("/_control/settings", json=document)
            assert response.status_code == 400


async def test_the_control_api_knows_no_other_tasks() -> None:
    async with EmulatorHarness(EmulatorSettings(), FakeEngine(), ManualUnixClock()) as site:
        response = await site.client.post("/_control/finish/nothing")
        assert (response.status_code, response.json()) == (404, {"error": "there is no task nothing"})


async def test_a_page_of_a_browser_is_turned_away_from_the_control_api() -> None:
    async with EmulatorHarness(EmulatorSettings(), FakeEngine(), ManualUnixClock()) as site:
        response = await site.client.get("/_control/clock", headers={"Origin": "https://example.org"})
        assert response.status_code == 403


async def test_an_error_beside_the_lifespan_comes_out_as_it_is() -> None:
    app = create_app(EmulatorSettings(), FakeEngine(), ManualUnixClock())
    with pytest.raises(LookupError, match="inside"):
        async with app.router.lifespan_context(app):
            raise LookupError("inside")
