"""Studio, painter and gallery held to axe-core's rules of WCAG 2.2 A and AA, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import expect

from tests.browser.gallery_server import serve_gallery
from tests.browser.test_gallery import open_page
from tests.browser.test_painter import drag, open_painter
from tests.browser.test_studio import KITE, wait_for_image

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client
    from playwright.async_api import Browser, Frame

    from tests.browser.conftest import OpenHost

RUN: Final = """async () => {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  const { violations } = await axe.run(document, { runOnly: tags });
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
}"""


async def find_violations(frame: Frame, axe: str) -> list[str]:
    """What axe finds, an element each."""
    await frame.evaluate(axe)
    return await frame.evaluate(RUN)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_studio(client: Client, new_host: OpenHost, axe: str, theme: str) -> None:
    host = await new_host(client, theme=theme)
    await host.run("generate_image", {**KITE, "samples": 2})
    await host.frame.locator(".grid button").first.click()
    await wait_for_image(host)
    assert not await find_violations(host.frame, axe)


async def test_the_painter(client: Client, new_host: OpenHost, photos: Path, axe: str) -> None:
    host, _ = await open_painter(client, new_host, photos)
    await drag(host, (0.4, 0.4), (0.6, 0.6))
    assert not await find_violations(host.frame, axe)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_gallery(browser: Browser, environ: dict[str, str], axe: str, theme: str) -> None:
    async with serve_gallery(environ) as address, open_page(browser, address, theme=theme) as page:
        await expect(page.locator(".empty")).to_be_visible()
        assert not await find_violations(page.main_frame, axe)
