"""Every state of studio, painter and gallery held to axe-core's rules of WCAG 2.2 A and AA, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from mcp import Client
from playwright.async_api import expect

from tests.browser.gallery_server import serve_gallery
from tests.browser.test_gallery import count_tiles, open_page
from tests.browser.test_painter import drag, open_painter
from tests.browser.test_screenshots import find_faults, import_rocket
from tests.browser.test_studio import KITE, wait_for_image

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Frame, Page

    from tests.browser.conftest import OpenHost

RUN: Final = """async () => {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  const { violations } = await axe.run(document, { runOnly: tags });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
}"""
THEMES: Final = ("light", "dark")
NAME_OF_FOCUS: Final = """() => {
  const one = document.activeElement;
  return one.ariaLabel || one.getAttribute('aria-label') || one.textContent.trim() || one.tagName;
}"""


async def find_violations(frame: Frame, axe: str) -> list[str]:
    """What axe finds, an element each."""
    await frame.evaluate(axe)
    return await frame.evaluate(RUN)


async def press_tab_through(page: Page, frame: Frame, count: int) -> list[str]:
    """The names of what the Tab key leads to, in order."""
    names: list[str] = []
    for _ in range(count):
        await page.keyboard.press("Tab")
        names.append(await frame.evaluate(NAME_OF_FOCUS))
    return names


@pytest.mark.parametrize("theme", THEMES)
async def test_the_studio(client: Client, new_host: OpenHost, axe: str, theme: str) -> None:
    """While it waits, with several pictures, with one of them, and with what went wrong."""
    host = await new_host(client, theme=theme)
    await host.deliver_input({"prompt": "a castle", "samples": 2})
    assert not await find_violations(host.frame, axe)
    await host.run("generate_image", {**KITE, "samples": 2})
    await expect(host.frame.locator(".grid img")).to_have_count(2)
    assert not await find_violations(host.frame, axe)
    await host.frame.locator(".grid button").first.click()
    await wait_for_image(host)
    assert not await find_violations(host.frame, axe)
    refused = await new_host(client, theme=theme)
    await refused.run("generate_image", {"prompt": "a kite", "samples": 99})
    await expect(refused.frame.locator(".bad")).to_be_visible()
    assert not await find_violations(refused.frame, axe)


@pytest.mark.parametrize("theme", THEMES)
async def test_before_and_after(client: Client, new_host: OpenHost, photos: Path, axe: str, theme: str) -> None:
    host = await new_host(client, theme=theme, tool="upscale_image")
    await host.run("upscale_image", {"image": await import_rocket(client, photos), "ratio": 2})
    await expect(host.frame.get_by_role("slider")).to_be_visible()
    assert not await find_violations(host.frame, axe)


@pytest.mark.parametrize("theme", THEMES)
async def test_the_painter(client: Client, new_host: OpenHost, photos: Path, axe: str, theme: str) -> None:
    host, _ = await open_painter(client, new_host, photos, theme=theme)
    assert not await find_violations(host.frame, axe)
    await drag(host, (0.4, 0.4), (0.6, 0.6))
    assert not await find_violations(host.frame, axe)


@pytest.mark.parametrize("theme", THEMES)
async def test_the_gallery(browser: Browser, environ: dict[str, str], axe: str, theme: str) -> None:
    """Empty, filled, with a picture large, and with the painter over that."""
    async with (
        serve_gallery(environ) as address,
        Client(f"{address}/mcp") as client,
        open_page(browser, address, theme=theme) as page,
    ):
        await expect(page.locator(".empty")).to_be_visible()
        assert not await find_violations(page.main_frame, axe)
        await client.call_tool("generate_image", KITE)
        await client.call_tool("upscale_image", {"image": await find_handle(page), "ratio": 2})
        await count_tiles(page, 2)
        await expect(page.locator(".days")).to_be_visible()
        assert not await find_violations(page.main_frame, axe)
        await page.locator(".tile").first.click()
        await expect(page.locator(".history")).to_be_visible()
        assert not await find_violations(page.main_frame, axe)
        await page.get_by_role("button", name="Erase or repaint").click()
        await expect(page.locator("canvas")).to_be_visible()
        assert not await find_violations(page.main_frame, axe)


async def find_handle(page: Page) -> str:
    """Of the newest picture on the wall."""
    await count_tiles(page, 1)
    return await page.evaluate("async () => (await (await fetch('/gallery/index')).json()).pictures[0][0]")


async def test_keys_lead_through_the_studio_in_the_order_that_is_seen(client: Client, new_host: OpenHost) -> None:
    """Picture, versions, facts, verbs: no stop that is not seen, and none left out."""
    host = await new_host(client)
    await host.run("generate_image", {**KITE, "samples": 2})
    await host.frame.locator(".grid button").first.click()
    await wait_for_image(host)
    await host.frame.locator(".corner button").first.focus()
    names = await press_tab_through(host.page, host.frame, 8)
    assert [name.split(",")[0].partition("2 pictures")[0].partition("1 picture")[0] for name in names] == [
        "Full screen", "1", "7", "Upscale 2×", "Variations", "Erase or repaint…", "Save", "Use this one",
    ]  # fmt: skip


async def test_keys_lead_through_the_gallery_and_back_from_a_picture(browser: Browser, environ: dict[str, str]) -> None:
    """Where one was on the wall is where one is again."""
    async with (
        serve_gallery(environ) as address,
        Client(f"{address}/mcp") as client,
        open_page(browser, address) as page,
    ):
        await client.call_tool("generate_image", {**KITE, "samples": 2})
        await count_tiles(page, 2)
        await page.get_by_role("searchbox").focus()
        names = await press_tab_through(page, page.main_frame, 7)
        assert names[:4] == ["Tool", "Service", "Day", "Size of the pictures"]
        assert names[5:] == ["Generate image, 800 by 600"] * 2
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        await expect(dialog.locator(".facts")).to_be_visible()
        inside = await press_tab_through(page, page.main_frame, 8)
        assert inside[:3] == ["Previous", "Next", "Close"]
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        assert await page.evaluate(NAME_OF_FOCUS) == "Generate image, 800 by 600"


@pytest.mark.parametrize("width", [320, 400, 768, 1200, 1920, 2560])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_nothing_stands_out_in_either_language(
    client: Client, new_host: OpenHost, width: int, locale: str
) -> None:
    """From the narrowest frame to the widest."""
    host = await new_host(client, width=width, locale=locale)
    await host.run("generate_image", {**KITE, "samples": 2})
    await host.frame.locator(".grid button").first.click()
    await wait_for_image(host)
    assert not await find_faults(host.frame)
    assert await host.frame.evaluate("document.documentElement.lang") == {"en-US": "en", "zh-CN": "zh-CN"}[locale]
    assert await host.get_sideways_px() <= 0
    verbs = await host.frame.locator(".verbs").text_content()
    assert ("放大" in (verbs or "")) is (locale == "zh-CN")
