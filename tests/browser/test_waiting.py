"""The studio while a job runs: progress, the usual time, a way out, and a server that goes away."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from atelier_mcp.server.emulator.settings import EmulatorSettings
from tests.browser.conftest import RealClock, build_environ, start_server
from tests.browser.hosts import CLAUDE_WEB
from tests.support.emulator_harness import EmulatorHarness, FakeEngine
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.browser.conftest import OpenHost


@pytest.fixture
def engine() -> FakeEngine:
    """An engine that holds still until it is told."""
    engine = FakeEngine()
    engine.answer_gate.clear()
    return engine


@pytest.fixture
async def slow_environ(engine: FakeEngine, tmp_path: Path) -> AsyncGenerator[dict[str, str]]:
    """Settings of a server whose service works for as long as the test likes."""
    async with EmulatorHarness(EmulatorSettings(), engine, RealClock()) as site:
        yield build_environ(site, tmp_path, tmp_path)


async def test_a_job_is_followed_while_the_first_call_still_runs(
    slow_environ: dict[str, str], engine: FakeEngine, new_host: OpenHost
) -> None:
    """No host shows that anything happens; the ledger tells the view."""
    async with start_server(slow_environ) as client:
        arguments = {"prompt": "a red kite", "wait_s": 0}
        host = await new_host(client, kind=CLAUDE_WEB)
        await host.deliver_input(arguments)
        await client.call_tool("generate_image", arguments)
        await expect(host.frame.get_by_role("progressbar")).to_be_visible()
        await expect(host.frame.get_by_role("button", name="Cancel")).to_be_visible()
        engine.answer_gate.set()
        await expect(host.frame.locator(".facts")).to_contain_text("64 × 48")
        await expect(host.frame.get_by_role("progressbar")).to_have_count(0)


async def test_a_job_is_followed_across_a_restart_of_the_server(
    slow_environ: dict[str, str], engine: FakeEngine, new_host: OpenHost
) -> None:
    """The view says that nobody answers, goes on asking, and shows the picture that comes after all."""
    async with AsyncExitStack() as first:
        client = await first.enter_async_context(start_server(slow_environ))
        host = await new_host(client)
        await host.run("generate_image", {"prompt": "a red kite", "wait_s": 0})
        await expect(host.frame.get_by_role("progressbar")).to_be_visible()
        host.client = None
    await expect(host.frame.get_by_role("status")).to_have_text("The server does not answer; trying again.")
    async with start_server(slow_environ) as client:
        host.client = client
        await expect(host.frame.get_by_role("status")).to_have_text("")
        engine.answer_gate.set()
        await expect(host.frame.locator(".facts")).to_contain_text("64 × 48")


async def test_an_upscale_that_was_begun_in_the_view_can_be_given_up(
    slow_environ: dict[str, str], engine: FakeEngine, new_host: OpenHost
) -> None:
    """With how long such jobs usually take, once that is known."""
    engine.answer_gate.set()
    async with start_server(slow_environ) as client:
        host = await new_host(client)
        result = await host.run("generate_image", {"prompt": "a red kite"})
        handle = get_structured(result)["images"][0]["handle"]
        await client.call_tool("upscale_image", {"image": handle, "ratio": 3})
        engine.answer_gate.clear()
        await expect(host.frame.locator(".facts")).to_be_visible()
        await host.frame.get_by_role("button", name="Upscale 2×").click()
        await expect(host.frame.locator(".progress")).to_contain_text("usually")
        await host.frame.get_by_role("button", name="Cancel").click()
        await expect(host.frame.get_by_role("status")).to_have_text("Cancelled.")
        jobs = get_structured(await client.call_tool("list_jobs", {"limit": 1}))["jobs"]
        assert jobs[0]["state"] == "cancelled"
