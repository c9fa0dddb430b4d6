"""The gallery in a browser, on the real server: pictures as they come, search, history, and what can be done there."""

from __future__ import annotations

import base64
import itertools
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from mcp import Client
from PIL import Image
from playwright.async_api import expect

from tests.browser.gallery_server import serve_gallery
from tests.browser.host_frame import BOUND_MS
from tests.browser.test_screenshots import FOLDER, find_faults
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

KITE: Final[dict[str, Any]] = {"prompt": "a red kite over dunes", "width": 640, "height": 480, "seed": 7}


@pytest.fixture
async def address(environ: dict[str, str]) -> AsyncGenerator[str]:
    """The running service."""
    async with serve_gallery(environ) as running:
        yield running


@pytest.fixture
async def client(address: str) -> AsyncGenerator[Client]:
    """A model's client of the same server."""
    async with Client(f"{address}/mcp") as connected:
        yield connected


@asynccontextmanager
async def open_page(
    browser: Browser, address: str, *, width: int = 1200, theme: str = "light", locale: str = "en-US"
) -> AsyncGenerator[Page]:
    """The gallery in a window; nothing may go wrong on it."""
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if theme == "dark" else "light", locale=locale
    )
    try:
        async with open_window(context, address) as page:
            yield page
    finally:
        await context.close()


@asynccontextmanager
async def open_window(context: BrowserContext, address: str, *, expects: str = "\n") -> AsyncGenerator[Page]:
    """One more window of a browser; on its console may stand nothing that ``expects`` is not part of."""
    page = await context.new_page()
    page.set_default_timeout(BOUND_MS)
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and expects not in message.text:
            problems.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.goto(address)
    yield page
    assert not problems


async def count_tiles(page: Page, count: int) -> None:
    """Until so many pictures are on the wall."""
    await expect(page.locator(".tile")).to_have_count(count)


async def test_an_empty_gallery_says_what_will_be_there(browser: Browser, address: str) -> None:
    async with open_page(browser, address) as page:
        await expect(page.locator(".empty")).to_contain_text("They appear here the moment they are made")


async def test_pictures_and_jobs_arrive_by_themselves_in_two_windows(
    browser: Browser, address: str, client: Client
) -> None:
    async with open_page(browser, address) as first, open_page(browser, address) as second:
        await expect(first.locator(".live.on")).to_be_visible()
        await expect(second.locator(".live.on")).to_be_visible()
        await client.call_tool("generate_image", KITE)
        for page in (first, second):
            await count_tiles(page, 1)
            await expect(page.get_by_role("status").first).to_contain_text("1 picture")
            await expect(page.locator(".work")).to_contain_text("Today: 1 picture")


async def test_what_was_spent_today_is_said_in_money_too(
    browser: Browser, environ: dict[str, str], tmp_path: Path
) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nprovider = "mhapi"\ncurrency = "CNY"\nper_image = 0.2\n')
    environ = {**environ, "ATELIER_PRICES": str(prices), "ATELIER_MONEY_PER_DAY": "5 CNY"}
    async with serve_gallery(environ) as address, Client(f"{address}/mcp") as client:
        await client.call_tool("generate_image", KITE)
        async with open_page(browser, address) as page:
            await expect(page.locator(".work")).to_contain_text("0.20 CNY / 5.00 CNY")
            await expect(page.locator(".work")).to_contain_text("local, mhapi 1 0.20 CNY")


async def test_pictures_are_found_by_their_words_and_by_filters(browser: Browser, address: str, client: Client) -> None:
    result = await client.call_tool("generate_image", KITE)
    handle = get_structured(result)["images"][0]["handle"]
    await client.call_tool("transform_image", {"image": handle, "crop": [0, 0, 300, 300]})
    async with open_page(browser, address) as page:
        await count_tiles(page, 2)
        await page.get_by_role("searchbox").fill("dunes kite")
        await count_tiles(page, 1)
        await page.get_by_role("searchbox").fill("nothing of the sort")
        await expect(page.locator(".empty")).to_have_text("Nothing matches.")
        await page.get_by_role("searchbox").fill("")
        await page.get_by_label("Tool", exact=True).select_option("transform")
        await count_tiles(page, 1)


async def test_a_picture_opens_large_with_its_history(browser: Browser, address: str, client: Client) -> None:
    """The tree of what was made of what, each a click away; over its source where it has the same shape."""
    result = await client.call_tool("generate_image", KITE)
    handle = get_structured(result)["images"][0]["handle"]
    await client.call_tool("transform_image", {"image": handle, "width": 320})
    await client.call_tool("transform_image", {"image": handle, "crop": [0, 0, 300, 300]})
    async with open_page(browser, address) as page:
        dialog = page.get_by_role("dialog")
        slider = dialog.get_by_role("slider", name="Before and after")
        await page.get_by_role("button", name="Transform, 320 by 240").click()
        await expect(slider).to_be_visible()
        await page.keyboard.press("ArrowLeft")
        await expect(dialog.locator(".facts")).to_contain_text("300 × 300")
        await expect(slider).to_have_count(0)
        tree = dialog.get_by_role("listitem")
        await expect(tree).to_have_text(["Generate image640 × 480", "Transform320 × 240", "Transform300 × 300"])
        assert [await tree.nth(index).get_attribute("aria-level") for index in range(3)] == ["1", "2", "2"]
        await tree.first.get_by_role("button").click()
        await expect(dialog.locator(".prompt")).to_have_text("a red kite over dunes")
        await expect(tree.first.get_by_role("button")).to_have_attribute("aria-current", "true")
        await page.keyboard.press("ArrowLeft")
        await expect(dialog.locator(".facts")).to_contain_text("320 × 240")
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)


async def test_a_part_is_erased_in_the_lightbox(browser: Browser, address: str, client: Client) -> None:
    """By the same painter as in a conversation; the mask is no picture of the wall."""
    await client.call_tool("generate_image", KITE)
    async with open_page(browser, address) as page:
        await page.locator(".tile").click()
        await page.get_by_role("button", name="Erase or repaint").click()
        box = await page.locator("canvas").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.4)
        await page.mouse.down()
        await page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.6, steps=6)
        await page.mouse.up()
        await page.get_by_role("button", name="Erase 1 picture").click()
        await expect(page.get_by_role("dialog").get_by_role("slider", name="Before and after")).to_be_visible()
        await page.keyboard.press("Escape")
        await count_tiles(page, 2)


async def test_a_picture_is_imported_downloaded_and_deleted(
    browser: Browser, address: str, client: Client, tmp_path: Path
) -> None:
    Image.new("RGB", (400, 300), "teal").save(tmp_path / "boat.png")
    async with open_page(browser, address) as page:
        await page.get_by_label("Import").set_input_files(tmp_path / "boat.png")
        await count_tiles(page, 1)
        await page.locator(".tile").click()
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Download").click()
        assert (await (await download.value).path()).read_bytes() == (tmp_path / "boat.png").read_bytes()
        await page.get_by_role("button", name="Delete").click()
        await page.get_by_role("button", name="Really delete?").click()
        await count_tiles(page, 0)
    listed = (await client.list_resources()).resources
    assert not [resource for resource in listed if resource.uri.startswith("atelier://images/")]


async def test_markup_in_a_prompt_is_text(browser: Browser, address: str, client: Client) -> None:
    prompt = "<img src=x onerror=\"document.title='owned'\"><b>bold</b> kite"
    await client.call_tool("generate_image", {**KITE, "prompt": prompt})
    async with open_page(browser, address) as page:
        await page.locator(".tile").click()
        await expect(page.get_by_role("dialog").locator(".prompt p")).to_have_text(prompt)
        assert await page.title() == "Atelier gallery"


async def test_nothing_stands_out_sideways(browser: Browser, address: str, client: Client) -> None:
    await client.call_tool("generate_image", {**KITE, "samples": 3})
    for width in (320, 400, 1200, 2560):
        async with open_page(browser, address, width=width) as page:
            await count_tiles(page, 3)
            assert not await find_faults(page.main_frame), width
            await page.locator(".tile").first.click()
            await expect(page.get_by_role("dialog")).to_be_visible()
            assert await page.evaluate("document.querySelector('dialog').scrollWidth - innerWidth") <= 0, width


async def test_how_it_looks(browser: Browser, address: str, client: Client, photos: Path, tmp_path: Path) -> None:
    """The wall and the lightbox; ``UPDATE_SCREENSHOTS=1`` keeps the pictures."""
    folder = FOLDER if os.environ.get("UPDATE_SCREENSHOTS") else tmp_path
    for name in ("rocket.jpg", "chelsea.png", "coffee.png", "astronaut.png"):
        data = (photos / name).read_bytes()
        image = f"data:image/{name[-3:].replace('jpg', 'jpeg')};base64,{base64.b64encode(data).decode()}"
        imported = get_structured(await client.call_tool("import_image", {"image": image}))["image"]["handle"]
    await client.call_tool("generate_image", {**KITE, "samples": 3, "width": 1024, "height": 576})
    await client.call_tool("transform_image", {"image": imported, "crop": [60, 20, 360, 480]})
    for width, theme in itertools.product((400, 1200), ("light", "dark")):
        async with open_page(browser, address, width=width, theme=theme) as page:
            await count_tiles(page, 8)
            await wait_for_images(page)
            assert not await find_faults(page.main_frame), (width, theme)
            await page.screenshot(path=folder / f"gallery-{width}-{theme}.jpg", type="jpeg", quality=80)
            await page.get_by_role("button", name="Transform, 360 by 480").click()
            await expect(page.locator(".history")).to_be_visible()
            await wait_for_images(page)
            await page.screenshot(path=folder / f"lightbox-{width}-{theme}.jpg", type="jpeg", quality=80)


async def wait_for_images(page: Page) -> None:
    """Until every picture in the page is there."""
    await page.wait_for_function("() => [...document.images].every((image) => image.complete && image.naturalWidth)")
