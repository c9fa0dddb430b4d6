"""A host with a view in it: the host's page at one origin, the view at another under the strictest CSP."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.browser.hosts import CLAUDE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import mcp_types as types
    from mcp import Client
    from playwright.async_api import Browser, ConsoleMessage, Frame, Page, Route

    from tests.browser.hosts import HostKind

HOST_PAGE: Final = (Path(__file__).parent / "host_page.html").read_text("utf-8")
DEFAULT_CSP: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' data:; connect-src 'none'; frame-src 'none'; object-src 'none'; base-uri 'self'"
)
"""What the specification gives to a page that names no domains."""
BOUND_MS: Final = 30_000
"""A picture takes a second; on a machine with much else to do, many."""
MARGIN_PX: Final = 32


class HostFrame:
    """A view in its host."""

    def __init__(self, page: Page, kind: HostKind, client: Client | None) -> None:
        """``client`` is the host's connection to the server; it may be exchanged while the view is open."""
        self.page = page
        self.kind = kind
        self.client = client
        self.frame: Frame
        self.problems: list[str] = []
        self.calls: list[str] = []
        self.sent_bytes: dict[str, int] = {}
        """By tool: the largest arguments that the view sent."""

    async def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What the server says to a call of the view's, as this host passes it on."""
        name = params.get("name", method)
        self.calls.append(name)
        self.sent_bytes[name] = max(self.sent_bytes.get(name, 0), len(json.dumps(params)))
        if method in self.kind.barred_methods:
            return {"error": "this host has no such method"}
        try:
            result = await self._ask(method, params)
        except Exception as err:  # noqa: BLE001  # a host tells its view of any failure in a few words
            return {"error": str(err) or "the server is gone"}
        if method == "tools/call" and len(json.dumps(result)) > self.kind.max_characters:
            return {"error": "the result is too large"}
        return {"result": result}

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if self.client is None:
            raise ConnectionError("the server is gone")
        if method == "resources/read":
            return to_wire(await self.client.read_resource(params["uri"]))
        return to_wire(await self.client.call_tool(params["name"], params["arguments"]))

    async def deliver_input(self, arguments: dict[str, Any]) -> None:
        """Tell the view what the model asked for."""
        await self.page.evaluate("args => deliverInput(args)", arguments)

    async def deliver_result(self, result: types.CallToolResult) -> None:
        """Hand the view what the model got, as far as this host does."""
        shortened = shorten(to_wire(result), self.kind)
        if shortened is not None:
            await self.page.evaluate("result => deliverResult(result)", shortened)

    async def run(self, tool: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Let the model call a tool, and the view see it as in a conversation."""
        assert self.client is not None
        await self.deliver_input(arguments)
        result = await self.client.call_tool(tool, arguments)
        await self.deliver_result(result)
        return result

    async def set_theme(self, theme: str) -> None:
        """Change to ``light`` or ``dark`` while the view is open, as a person does."""
        await self.page.evaluate("theme => setTheme(theme)", theme)
        await self.frame.wait_for_function(
            "theme => document.documentElement.style.colorScheme === theme && !document.getAnimations().some("
            "(one) => one instanceof CSSTransition)",
            arg=theme,
        )

    async def get_said(self) -> list[Any]:
        """What the view said to the model, and what it saved."""
        return await self.page.evaluate("said")

    async def wait_until_said(self, words: str) -> None:
        """Until the view has said something with these words to the model."""
        await self.page.wait_for_function("words => JSON.stringify(said).includes(words)", arg=words)

    async def get_sideways_px(self) -> int:
        """By how much the view is wider than its frame."""
        return await self.frame.evaluate("document.documentElement.scrollWidth - innerWidth")


def to_wire(value: Any) -> dict[str, Any]:
    """A model of the SDK's as JSON."""
    return json.loads(value.model_dump_json(by_alias=True, exclude_none=True))


def shorten(result: dict[str, Any], kind: HostKind) -> dict[str, Any] | None:
    """A result without what the host drops."""
    if kind.delivery == "nothing":
        return None
    if kind.delivery == "whole":
        return result
    kinds = {"text"} if kind.delivery == "text" else {"text", "image"}
    return {
        **without(result, "_meta", "structuredContent"),
        "content": [b for b in result["content"] if b["type"] in kinds],
    }


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    """A copy without these entries."""
    return {name: item for name, item in value.items() if name not in names}


@asynccontextmanager
async def open_host(
    browser: Browser,
    html: str,
    client: Client | None,
    *,
    kind: HostKind = CLAUDE,
    tool: str = "generate_image",
    theme: str = "light",
    locale: str = "en-US",
    width: int | None = None,
    height: int = 900,
    has_touch: bool = False,
) -> AsyncGenerator[HostFrame]:
    """The view in a host of that kind, ``width`` CSS pixels wide, before the model's call is told to it."""
    frame_width = width or kind.width
    context = await browser.new_context(
        viewport={"width": frame_width + MARGIN_PX, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        has_touch=has_touch,
    )
    page = await context.new_page()
    page.set_default_timeout(BOUND_MS)
    host = HostFrame(page, kind, client)

    def note_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            host.problems.append(message.text)

    async def fulfil(route: Route) -> None:
        name = route.request.url.split("/")[2]
        if name == "view.test":
            headers = {"content-security-policy": DEFAULT_CSP}
            await route.fulfill(content_type="text/html; charset=utf-8", headers=headers, body=html)
        elif name == "host.test":
            await route.fulfill(content_type="text/html; charset=utf-8", body=HOST_PAGE)
        else:
            host.problems.append(f"asked {route.request.url[:100]}")
            await route.abort()

    page.on("console", note_console)
    page.on("pageerror", lambda error: host.problems.append(str(error)))
    await page.route("**/*", fulfil)
    await page.expose_function("askServer", host.answer)  # pyright: ignore[reportUnknownMemberType]  # its callbacks are not typed
    await page.goto("http://host.test/")
    initialize = {
        "protocolVersion": "2026-01-26",
        "hostInfo": {"name": kind.name, "version": "1"},
        "hostCapabilities": kind.capabilities,
        "hostContext": {
            "theme": theme,
            "displayMode": "inline",
            "locale": locale,
            "toolInfo": {"tool": {"name": tool}},
            **kind.context,
        },
    }
    await page.evaluate("([host, width]) => start(host, width)", [initialize, frame_width])
    element = await page.wait_for_selector("iframe")
    assert element is not None
    frame = await element.content_frame()
    assert frame is not None
    host.frame = frame
    try:
        yield host
    finally:
        await context.close()
