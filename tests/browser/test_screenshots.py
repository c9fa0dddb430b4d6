"""How the pages look, at 400 and 1200 pixels, light and dark: ``UPDATE_SCREENSHOTS=1`` keeps the pictures.

A layout that looks wrong is a failing test, and only a person sees that. What can be measured is: nothing stands out
sideways, no button lies under another or outside of the frame, no text is cut off on a button.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.async_api import expect

from tests.browser.host_frame import MARGIN_PX
from tests.browser.hosts import CLAUDE, PHONE
from tests.browser.test_painter import drag
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp import Client
    from playwright.async_api import Frame

    from tests.browser.conftest import OpenHost
    from tests.browser.host_frame import HostFrame

FOLDER: Final = Path(__file__).parents[2] / "examples" / "screenshots"
SIZES: Final = {400: PHONE, 1200: CLAUDE}
LIGHTHOUSE: Final[dict[str, Any]] = {
    "prompt": "a lighthouse in a storm, oil painting",
    "width": 1024,
    "height": 768,
    "seed": 11,
}
FIND_FAULTS: Final = """() => {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) faults.push(`sideways by ${root.scrollWidth - innerWidth}`);
  const isPlain = (b) => b.checkVisibility() && !b.closest('.hero, .easel');
  const buttons = [...document.querySelectorAll('button, select, a.button')].filter(isPlain);
  const boxes = buttons.map((b) => [b, b.getBoundingClientRect()]);
  for (const [b, box] of boxes) {
    const name = b.textContent || b.ariaLabel;
    if (b.scrollWidth > b.clientWidth + 1 && !b.closest('.strip')) faults.push(`${name}: its text is cut off`);
    if (box.left < 0 || box.right > innerWidth + 1) faults.push(`${name}: outside of the frame`);
    for (const [other, area] of boxes)
      if (b !== other && box.left < area.right - 1 && area.left < box.right - 1 &&
          box.top < area.bottom - 1 && area.top < box.bottom - 1) faults.push(`${name}: under ${other.textContent}`);
  }
  return faults;
}"""


@pytest.fixture
def environ(photos: Path, tmp_path: Path) -> dict[str, str]:
    """As somebody starts who has no keys yet: the built-in stand-in draws."""
    return {"ATELIER_HOME": str(tmp_path / "home"), "ATELIER_INPUT_ROOTS": str(photos)}


async def find_faults(frame: Frame) -> list[str]:
    """What is measurably wrong with a layout."""
    return await frame.evaluate(FIND_FAULTS)


async def take_screenshots(host: HostFrame, name: str, tmp_path: Path) -> None:
    """Look for faults and keep a picture of a host's page, light and dark."""
    folder = FOLDER if os.environ.get("UPDATE_SCREENSHOTS") else tmp_path
    folder.mkdir(exist_ok=True)
    await host.page.mouse.move(0, 0)
    for theme in ("light", "dark"):
        await host.set_theme(theme)
        # The host has given the frame the height it asked for.
        await host.frame.wait_for_function(
            "() => document.documentElement.getBoundingClientRect().height <= innerHeight + 1"
        )
        assert not await find_faults(host.frame)
        await host.page.screenshot(path=folder / f"{name}-{theme}.jpg", type="jpeg", quality=80)


async def open_results(
    client: Client, new_host: OpenHost, tool: str, arguments: dict[str, Any]
) -> AsyncGenerator[tuple[int, HostFrame]]:
    """One answer in a narrow and a wide host: the width, and the host."""
    result = await client.call_tool(tool, arguments)
    for width, kind in SIZES.items():
        height = 900 if width > 600 else 1000
        host = await new_host(client, kind=kind, width=width - MARGIN_PX, tool=tool, height=height)
        await host.deliver_input(arguments)
        await host.deliver_result(result)
        await expect(host.frame.get_by_role("progressbar")).to_have_count(0)
        yield width, host


async def import_rocket(client: Client, photos: Path) -> str:
    """The handle of a photo of a rocket."""
    result = await client.call_tool("import_image", {"image": str(photos / "rocket.jpg")})
    return get_structured(result)["image"]["handle"]


async def test_a_picture(client: Client, new_host: OpenHost, tmp_path: Path) -> None:
    async for width, host in open_results(client, new_host, "generate_image", LIGHTHOUSE):
        await expect(host.frame.locator(".prompt")).to_be_visible()
        await expect(host.frame.locator(".facts")).to_contain_text("mhapi")
        # The stand-in takes none, whatever the request says.
        await expect(host.frame.locator(".facts")).not_to_contain_text("steps")
        await take_screenshots(host, f"picture-{width}", tmp_path)


async def test_several_pictures(client: Client, new_host: OpenHost, tmp_path: Path) -> None:
    async for width, host in open_results(client, new_host, "generate_image", {**LIGHTHOUSE, "samples": 4}):
        await expect(host.frame.locator(".grid img")).to_have_count(4)
        await expect(host.frame.locator(".prompt")).to_be_visible()
        await expect(host.frame.locator(".facts")).to_contain_text("mhapi")
        await take_screenshots(host, f"grid-{width}", tmp_path)


async def test_before_and_after(client: Client, new_host: OpenHost, photos: Path, tmp_path: Path) -> None:
    shapes = [{"type": "stroke", "points": [322, 120, 322, 340], "width": 40}]
    arguments = {"image": await import_rocket(client, photos), "shapes": shapes}
    async for width, host in open_results(client, new_host, "erase_object", arguments):
        await expect(host.frame.get_by_role("slider")).to_be_visible()
        await expect(host.frame.locator(".facts")).to_contain_text("mhapi")
        await take_screenshots(host, f"compare-{width}", tmp_path)


async def test_the_painter(client: Client, new_host: OpenHost, photos: Path, tmp_path: Path) -> None:
    arguments = {"image": await import_rocket(client, photos), "why": "the rocket, to take it out"}
    async for width, host in open_results(client, new_host, "ask_for_mask", arguments):
        await expect(host.frame.locator("canvas")).to_be_visible()
        await drag(host, (0.5, 0.32), (0.49, 0.5), (0.51, 0.7))
        await take_screenshots(host, f"painter-{width}", tmp_path)


async def test_work_under_way(client: Client, new_host: OpenHost, tmp_path: Path) -> None:
    """The frame in its shape, before there is anything."""
    for width, kind in SIZES.items():
        host = await new_host(client, kind=kind, width=width - MARGIN_PX)
        await host.deliver_input({"prompt": "a castle", "aspect": "16:9", "samples": 2})
        await expect(host.frame.get_by_role("status")).to_have_text("Waiting for the pictures…")
        await take_screenshots(host, f"waiting-{width}", tmp_path)
