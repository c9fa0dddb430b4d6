"""Signing in to a gallery that asks for a token, as a person does it: by keys, in two windows, in two languages."""

from __future__ import annotations

import itertools
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import expect

from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.token_file import TokenFile
from tests.browser.gallery_server import serve_gallery
from tests.browser.host_frame import BOUND_MS
from tests.browser.test_accessibility import find_violations
from tests.browser.test_gallery import KITE, count_tiles, open_page, open_window, wait_for_images
from tests.browser.test_screenshots import FOLDER, find_faults
from tests.support.http_service import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page

REFUSED: Final = "401"
"""Of what a browser writes on its console by itself when a request is refused."""


@pytest.fixture
def token_file(environ: dict[str, str]) -> TokenFile:
    """The tokens of the gallery's server."""
    return TokenFile(load_settings(environ).home)


@pytest.fixture
def token(token_file: TokenFile) -> str:
    """Alice's."""
    return token_file.add("alice", ["atelier:create"], now=datetime.now(UTC))


@pytest.fixture
async def address(environ: dict[str, str], token: str) -> AsyncGenerator[str]:
    """A service that asks for a token, with one picture of Alice's."""
    async with serve_gallery(environ) as running:
        async with connect(running, token) as client:
            await client.call_tool("generate_image", KITE)
        yield running


@asynccontextmanager
async def open_browser(browser: Browser) -> AsyncGenerator[BrowserContext]:
    """A browser with cookies of its own."""
    context = await browser.new_context(viewport={"width": 1200, "height": 900}, locale="en-US")
    context.set_default_timeout(BOUND_MS)
    yield context
    await context.close()


async def sign_in(page: Page, token: str) -> None:
    """As with nothing but a keyboard: the field has the focus."""
    await expect(page.get_by_label("Token")).to_be_focused()
    await page.keyboard.type(token)
    await page.keyboard.press("Enter")


async def test_the_token_of_a_client_opens_the_gallery(browser: Browser, address: str, token: str) -> None:
    """Until it is signed out again, in whatever window; what was shown is gone from the page."""
    async with open_browser(browser) as context, open_window(context, address, expects=REFUSED) as first:
        await sign_in(first, "atl_wrong")
        await expect(first.get_by_role("alert")).to_have_text("This token is not valid, or not any more.")
        await first.keyboard.type(token)
        await first.keyboard.press("Enter")
        await count_tiles(first, 1)
        await first.reload()
        await count_tiles(first, 1)
        await wait_for_images(first)
        async with open_window(context, address, expects=REFUSED) as second:
            await second.locator(".tile").click()
            await wait_for_images(second)
            file = await second.locator(".compare img").get_attribute("src")
            await first.get_by_role("button", name="Sign out").click()
            for page in (first, second):
                await expect(page.get_by_label("Token")).to_be_visible()
                await expect(page.locator(".tile")).to_have_count(0)
            # Nor does the browser still have it.
            assert await second.evaluate("async (url) => (await fetch(url)).status", file) == 401


async def test_a_revoked_token_closes_the_page_at_once(
    browser: Browser, address: str, token: str, token_file: TokenFile
) -> None:
    """Also a page that only looks on, and asks for nothing."""
    async with open_browser(browser) as context, open_window(context, address, expects=REFUSED) as page:
        await sign_in(page, token)
        await expect(page.locator(".live.on")).to_be_visible()
        token_file.revoke("alice")
        await expect(page.get_by_label("Token")).to_be_visible()
        await expect(page.locator(".tile")).to_have_count(0)


async def test_no_script_reads_the_cookie(browser: Browser, address: str, token: str) -> None:
    async with open_browser(browser) as context, open_window(context, address) as page:
        await sign_in(page, token)
        await count_tiles(page, 1)
        assert await page.evaluate("document.cookie") == ""
        (cookie,) = await context.cookies()
    assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Strict")
    assert token not in cookie.get("value", "")


async def test_the_way_in_speaks_chinese(browser: Browser, address: str) -> None:
    async with open_page(browser, address, locale="zh-CN") as page:
        await expect(page.get_by_label("令牌")).to_be_visible()
        await expect(page.get_by_role("button", name="登录")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_way_in_is_for_everybody(browser: Browser, address: str, axe: str, theme: str) -> None:
    async with open_page(browser, address, theme=theme) as page:
        await expect(page.get_by_label("Token")).to_be_visible()
        assert not await find_violations(page.main_frame, axe)


async def test_how_it_looks(browser: Browser, address: str, token: str, tmp_path: Path) -> None:
    """``UPDATE_SCREENSHOTS=1`` keeps the pictures."""
    folder = FOLDER if os.environ.get("UPDATE_SCREENSHOTS") else tmp_path
    for width, theme in itertools.product((320, 400, 1200, 2560), ("light", "dark")):
        async with open_page(browser, address, width=width, theme=theme) as page:
            await expect(page.get_by_label("Token")).to_be_visible()
            assert not await find_faults(page.main_frame), (width, theme)
            if width in {400, 1200}:
                await page.screenshot(path=folder / f"sign-in-{width}-{theme}.jpg", type="jpeg", quality=80)
            await sign_in(page, token)
            await count_tiles(page, 1)
            assert not await find_faults(page.main_frame), (width, theme)
