"""The gallery's routes: its page, the library, thumbnails and files, the jobs, and what the page may do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from atelier_mcp.server.errors import ImageRefused, OperatorError
from atelier_mcp.server.icons import SERVER_ICON_SVG
from atelier_mcp.server.images.image_response import create_image_response
from atelier_mcp.server.images.provenance import hide_folders, provenance_to_document
from atelier_mcp.server.views.pages import read_page
from atelier_mcp.server.web.authentication import ACCESS_CHECK_KEY
from atelier_mcp.server.web.gallery.events import follow_changes
from atelier_mcp.server.web.gallery.history import trace_image
from atelier_mcp.server.web.gallery.library_index import LibraryIndex
from atelier_mcp.server.web.gallery.page_guard import (
    COMMON_HEADERS,
    DATA_CSP,
    FRESH_HEADERS,
    build_page_csp,
    guard_change,
    guard_read,
)
from atelier_mcp.server.web.gallery.session_cookies import COOKIE_NAMES
from atelier_mcp.server.web.gallery.thumbnails import Thumbnails
from atelier_mcp.server.web.gallery.tool_calls import BodyTooLarge, call_tool, read_document
from atelier_mcp.server.web.gallery.work import load_work

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.server.mcpserver.tools import Tool
    from starlette.requests import Request

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.libraries import Libraries
    from atelier_mcp.server.service_host import ServiceHost
    from atelier_mcp.server.settings import Settings
    from atelier_mcp.server.web.gallery.page_guard import Endpoint

LASTING_HEADERS: Final = {
    **COMMON_HEADERS,
    "content-security-policy": DATA_CSP,
    "cache-control": "private, max-age=31536000, immutable",
}
"""A handle names its bytes for ever."""
MAX_LIBRARIES: Final = 200
"""Of which an index is kept in memory."""


class GalleryServer(Protocol):
    """What the gallery needs of the MCP server."""

    service_host: ServiceHost
    libraries: Libraries
    tools_by_name: Mapping[str, Tool]


def create_gallery_routes(server: GalleryServer, settings: Settings, *, clock: Clock) -> list[Route]:
    """The routes of the gallery over the library and the jobs of this server."""
    gallery = Gallery(server, settings, clock=clock)
    reads: dict[str, Endpoint] = {
        "/gallery/index": gallery.list_images,
        "/gallery/pictures/{handle}": gallery.describe_image,
        "/gallery/files/{handle}": gallery.send_file,
        "/gallery/thumbnails/{handle}": gallery.send_thumbnail,
        "/gallery/events": gallery.send_events,
    }
    changes: dict[str, Endpoint] = {"/gallery/call": gallery.call_tool, "/gallery/delete": gallery.delete_image}
    return [
        # A link in a chat leads here from another site; the page itself holds nothing of the library.
        Route("/", gallery.send_page, methods=["GET"]),
        Route("/favicon.ico", send_icon, methods=["GET"]),
        *(Route(path, guard_read(answer_refusals(end)), methods=["GET"]) for path, end in reads.items()),
        *(Route(path, guard_change(answer_refusals(end)), methods=["POST"]) for path, end in changes.items()),
    ]


async def send_icon(_: Request) -> Response:
    """The server's icon, which browsers ask for by themselves."""
    headers = {**COMMON_HEADERS, "content-security-policy": "default-src 'none'", "cache-control": "max-age=86400"}
    return Response(SERVER_ICON_SVG, media_type="image/svg+xml", headers=headers)


def answer_refusals(endpoint: Endpoint) -> Endpoint:
    """The endpoint, but 404 without the picture, 413 for a body past every picture, 503 without the store."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except OperatorError as err:
            return PlainTextResponse(str(err), status_code=503, headers=FRESH_HEADERS)
        except ImageRefused as err:
            return PlainTextResponse(str(err), status_code=404, headers=FRESH_HEADERS)
        except BodyTooLarge:
            return PlainTextResponse("The picture is too large.", status_code=413, headers=FRESH_HEADERS)

    return answer


def build_lasting_headers(request: Request) -> dict[str, str]:
    """Of a picture: to be kept by the browser, but not beyond the session it was read in."""
    has_session = any(name in request.cookies for name in COOKIE_NAMES)
    return LASTING_HEADERS | ({"vary": "Cookie"} if has_session else {})


class Gallery:
    """What the routes answer."""

    def __init__(self, server: GalleryServer, settings: Settings, *, clock: Clock) -> None:
        """Serve the library of ``server``; nothing is read yet."""
        self._server = server
        self._settings = settings
        self._clock = clock
        self._libraries: dict[tuple[str, bool], tuple[ImageStore, LibraryIndex]] = {}
        """By principal, and whether it sees all."""
        self._thumbnails = Thumbnails(settings.home)

    async def send_page(self, _: Request) -> Response:
        """The page, under a policy that lets nothing but its own script and style run."""
        html = await asyncio.to_thread(read_page, "gallery")
        headers = {**COMMON_HEADERS, "content-security-policy": build_page_csp(html), "cache-control": "no-cache"}
        return HTMLResponse(html, headers=headers)

    async def list_images(self, request: Request) -> Response:
        """Every picture that has all words of ``q``, newest first, a row each (``IndexEntry.to_row``)."""
        index = self._open_library()[1]
        await index.refresh()
        entries = await asyncio.to_thread(index.search, request.query_params.get("q", ""))
        return JSONResponse({"pictures": [entry.to_row() for entry in entries]}, headers=FRESH_HEADERS)

    async def describe_image(self, request: Request) -> Response:
        """How a picture was made, of what, and all that hangs together with it."""
        from atelier_mcp.server.images.titles import build_title

        image = await self._find_image(request)
        index = self._open_library()[1]
        await index.refresh()
        entries, _ = index.snapshot()
        ancestors, history = await asyncio.to_thread(trace_image, entries, image.handle)
        is_elsewhere = bool(self._server.service_host.get_principal().image_url)
        provenance = hide_folders(image.provenance) if is_elsewhere else image.provenance
        services = await self._server.service_host.get_services()
        document: dict[str, Any] = {
            "handle": image.handle,
            "title": build_title(image),
            "width": image.width,
            "height": image.height,
            "size_bytes": image.size_bytes,
            "created_at": image.created_at.isoformat(),
            "made": {**provenance_to_document(provenance), "edits_are_free": services.router.is_free},
            "ancestors": [entry.to_row() for entry in ancestors],
            "history": [[entry.to_row(), depth] for entry, depth in history],
        }
        return JSONResponse(document, headers=FRESH_HEADERS)

    async def send_file(self, request: Request) -> Response:
        """A picture's file, as it is stored."""
        image = await self._find_image(request)
        return create_image_response(
            self._open_library()[0],
            image,
            headers=build_lasting_headers(request),
            disposition="attachment" if "download" in request.query_params else "inline",
            file_name=image.name,
        )

    async def send_thumbnail(self, request: Request) -> Response:
        """A small JPEG of a picture."""
        image = await self._find_image(request)
        services = await self._server.service_host.get_services()
        path = await self._thumbnails.get_path(image, self._open_library()[0], services.image_workers)
        return FileResponse(path, media_type="image/jpeg", headers=build_lasting_headers(request))

    async def send_events(self, request: Request) -> Response:
        """What is new, until the page is closed, or its token is good no longer."""
        from sse_starlette import EventSourceResponse

        index = self._open_library()[1]
        await index.refresh()
        changes = follow_changes(index, self._load_work, is_let_in=request.scope[ACCESS_CHECK_KEY], clock=self._clock)
        return EventSourceResponse(changes, ping=15, headers={**FRESH_HEADERS, "x-accel-buffering": "no"})

    async def call_tool(self, request: Request) -> Response:
        """A tool's answer, as a client would get it."""
        return await call_tool(request, self._server.tools_by_name)

    async def delete_image(self, request: Request) -> Response:
        """Delete a picture for good: its file, its record and its thumbnail."""
        handle = str((await read_document(request)).get("handle", ""))
        store, index = self._open_library()
        image = await store.find(handle)
        await store.delete(image)
        await index.remove(image.library, image.handle)
        await self._thumbnails.forget(image.handle)
        return JSONResponse({"deleted": image.handle}, headers=FRESH_HEADERS)

    async def _find_image(self, request: Request) -> StoredImage:
        store = self._open_library()[0]
        return await store.find(request.path_params["handle"])

    def _open_library(self) -> tuple[ImageStore, LibraryIndex]:
        """The pictures that the principal of this request may see."""
        principal = self._server.service_host.get_principal()
        key = (principal.name, principal.is_admin)
        if key not in self._libraries:
            # The one that was opened first makes room.
            if len(self._libraries) >= MAX_LIBRARIES:
                del self._libraries[next(iter(self._libraries))]
            store = self._server.libraries.open(principal)
            self._libraries[key] = store, LibraryIndex(store.create_scanner())
        return self._libraries[key]

    async def _load_work(self) -> dict[str, Any]:
        services = await self._server.service_host.get_own_services()
        return await load_work(services.jobs, self._settings, now=self._clock.now())
