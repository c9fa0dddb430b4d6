"""What other pages, files and clients may try on the gallery and on the views."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final, cast

import httpx2
import pytest
from PIL import Image

from atelier_mcp.server.app import create_server
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.app import create_web_app
from atelier_mcp.server.web.gallery import tool_calls
from atelier_mcp.server.web.gallery.routes import create_gallery_routes
from tests.support.asgi_lifespan import start_app

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from atelier_mcp.server.resources import ImageResourceServer

PORT: Final = 8000
OWN: Final = f"http://127.0.0.1:{PORT}"
PAGE: Final = {"origin": OWN, "sec-fetch-site": "same-origin"}
READS: Final = (
    "/gallery/index",
    "/gallery/pictures/{handle}",
    "/gallery/files/{handle}",
    "/gallery/thumbnails/{handle}",
)
EVENTS: Final = "/gallery/events"
CHANGES: Final[dict[str, dict[str, Any]]] = {
    "/gallery/call": {"tool": "list_jobs", "arguments": {}},
    "/gallery/delete": {"handle": "{handle}"},
}
FOREIGN_PAGES: Final = {
    "another site": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "another local server": {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"},
    "another name of this machine": {"origin": f"http://localhost:{PORT}", "sec-fetch-site": "cross-site"},
    "a sandboxed frame": {"origin": "null", "sec-fetch-site": "cross-site"},
    "an old browser on another local server": {"origin": "http://127.0.0.1:9999"},
    "https where this is http": {"origin": f"https://127.0.0.1:{PORT}"},
    "a form without an origin": {},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the one server that is attacked."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
async def client(home: Path) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of the whole HTTP service, which runs with its lifespan."""
    app = create_web_app(load_settings({"ATELIER_HOME": str(home)}), host="127.0.0.1")
    async with start_app(app), httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=OWN) as connected:
        yield connected


@pytest.fixture(scope="module")
async def handle(client: httpx2.AsyncClient) -> str:
    """A picture in the library."""
    return await import_image(client, encode_png((300, 300)))


def encode_png(size: tuple[int, int]) -> bytes:
    """A plain picture."""
    stream = io.BytesIO()
    Image.new("RGB", size, "teal").save(stream, "PNG")
    return stream.getvalue()


async def call(client: httpx2.AsyncClient, tool: str, arguments: dict[str, Any], **headers: str) -> httpx2.Response:
    """A call from the gallery's own page."""
    return await client.post("/gallery/call", json={"tool": tool, "arguments": arguments}, headers={**PAGE, **headers})


async def import_image(client: httpx2.AsyncClient, data: bytes, media_type: str = "image/png") -> str:
    """The handle of a picture that is dropped onto the page."""
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    result = (await call(client, "import_image", {"image": url})).json()
    assert not result.get("isError"), result
    return result["_meta"]["atelier/result"]["image"]["handle"]


def fill(document: dict[str, Any], handle: str) -> dict[str, Any]:
    """The document with a real handle in it."""
    return json.loads(json.dumps(document).replace("{handle}", handle))


def test_every_route_of_the_gallery_is_attacked_here(tmp_path: Path) -> None:
    """One that is added belongs into ``READS`` or ``CHANGES``."""
    settings = load_settings({"ATELIER_HOME": str(tmp_path)})
    server = cast("ImageResourceServer", create_server(settings, transport="http"))
    routes = create_gallery_routes(server, settings, clock=SystemClock())
    by_method = {method: {r.path for r in routes if method in (r.methods or ())} for method in ("GET", "POST")}
    assert by_method == {"GET": {"/", "/favicon.ico", EVENTS, *READS}, "POST": {*CHANGES}}
    assert {method for route in routes for method in route.methods or ()} == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("page", FOREIGN_PAGES)
@pytest.mark.parametrize("path", CHANGES)
async def test_no_other_page_changes_anything(client: httpx2.AsyncClient, handle: str, path: str, page: str) -> None:
    """Cross-site request forgery, on every action."""
    response = await client.post(path, json=fill(CHANGES[path], handle), headers=FOREIGN_PAGES[page])
    assert response.status_code == 403
    assert (await client.get(f"/gallery/pictures/{handle}", headers=PAGE)).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("path", CHANGES)
async def test_what_a_form_can_send_changes_nothing(
    client: httpx2.AsyncClient, handle: str, path: str, media_type: str
) -> None:
    """Even with our own origin, as a fault in a browser might let it."""
    body = json.dumps(fill(CHANGES[path], handle))
    response = await client.post(path, content=body, headers={**PAGE, "content-type": media_type})
    assert response.status_code == 415


@pytest.mark.parametrize("path", CHANGES)
async def test_a_link_changes_nothing(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers=PAGE)).status_code == 405


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", [*READS, EVENTS])
async def test_no_other_page_reads_the_library(client: httpx2.AsyncClient, handle: str, path: str, site: str) -> None:
    """Nor learns by a script or picture element what is in it."""
    response = await client.get(path.format(handle=handle), headers={"sec-fetch-site": site})
    assert response.status_code == 403


@pytest.mark.parametrize("path", ["/", *READS, EVENTS])
async def test_a_name_that_was_rebound_to_this_machine_reads_nothing(
    client: httpx2.AsyncClient, handle: str, path: str
) -> None:
    response = await client.get(path.format(handle=handle), headers={"host": "evil.example"})
    assert response.status_code == 421


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1.evil.example", "169.254.169.254"])
@pytest.mark.parametrize("path", CHANGES)
async def test_a_name_that_was_rebound_to_this_machine_changes_nothing(
    client: httpx2.AsyncClient, handle: str, path: str, host: str
) -> None:
    """To the browser its page and this server are one origin."""
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    response = await client.post(path, json=fill(CHANGES[path], handle), headers=headers)
    assert response.status_code == 421
    assert (await client.get(f"/gallery/pictures/{handle}", headers=PAGE)).status_code == 200


async def test_a_link_from_a_chat_opens_the_page_which_no_frame_holds(client: httpx2.AsyncClient) -> None:
    """Else its buttons could be clicked unseen."""
    response = await client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "script-src 'sha256-"):
        assert part in policy
    assert "unsafe" not in policy
    assert response.headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/gallery/files/{handle}", "/gallery/thumbnails/{handle}"])
async def test_a_picture_is_never_read_as_a_page(client: httpx2.AsyncClient, handle: str, path: str) -> None:
    """Opened by itself it runs nothing, whatever its bytes say."""
    response = await client.get(path.format(handle=handle), headers=PAGE)
    assert response.headers["content-type"].startswith("image/")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]
    assert response.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "data",
    [
        b"<html><script>alert(1)</script></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"GIF89a/*<script>alert(1)</script>*/",
    ],
    ids=["html", "svg", "half a picture"],
)
@pytest.mark.parametrize("media_type", ["image/png", "image/svg+xml", "text/html"])
async def test_markup_is_not_taken_in_as_a_picture(client: httpx2.AsyncClient, data: bytes, media_type: str) -> None:
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    before = (await client.get("/gallery/index", headers=PAGE)).json()
    assert (await call(client, "import_image", {"image": url})).json()["isError"]
    assert (await client.get("/gallery/index", headers=PAGE)).json() == before


async def test_a_picture_with_markup_behind_it_stays_a_picture(client: httpx2.AsyncClient) -> None:
    """It is stored as it came, and sent as what it is."""
    stored = await import_image(client, encode_png((301, 300)) + b"<script>alert(1)</script>")
    response = await client.get(f"/gallery/files/{stored}", headers=PAGE)
    assert response.headers["content-type"] == "image/png"
    assert "sandbox" in response.headers["content-security-policy"]


async def test_a_record_that_calls_markup_a_picture_is_none(
    client: httpx2.AsyncClient, handle: str, home: Path
) -> None:
    """Whoever may write into the data folder gets no page out of the server."""
    (record,) = (home / "images").glob(f"*/{handle}.json")
    evil = record.with_name("img_aaaaaaaaaaaaaaaa.json")
    document = json.loads(record.read_text("utf-8"))
    evil.write_text(json.dumps({**document, "media_type": "text/html", "file": "img_aaaaaaaaaaaaaaaa.html"}), "utf-8")
    evil.with_suffix(".html").write_text("<script>alert(1)</script>", "utf-8")
    assert (await client.get("/gallery/files/img_aaaaaaaaaaaaaaaa", headers=PAGE)).status_code == 404


@pytest.mark.parametrize(
    "name", ["..%2f..%2fsigning.key", "img_..%2f..%2fledger", "%2fetc%2fpasswd", "img_aaaaaaaaaaaaaaaa", "x" * 5000]
)
@pytest.mark.parametrize("path", [read for read in READS if "{handle}" in read])
async def test_a_name_that_is_no_handle_reads_nothing(client: httpx2.AsyncClient, path: str, name: str) -> None:
    assert (await client.get(path.format(handle=name), headers=PAGE)).status_code == 404


@pytest.mark.parametrize("tool", ["train_lora", "chat", "compose_images", "no_such_tool", 7, None, ["list_jobs"]])
async def test_the_page_calls_a_few_tools_alone(client: httpx2.AsyncClient, tool: Any) -> None:
    response = await client.post("/gallery/call", json={"tool": tool, "arguments": {}}, headers=PAGE)
    assert response.status_code == 400


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b'"x"', b"\xff", b"[" * 100_000],
    ids=["nothing", "list", "null", "cut off", "text", "no unicode", "deep"],
)
async def test_a_body_that_is_no_call_is_refused(client: httpx2.AsyncClient, body: bytes) -> None:
    headers = {**PAGE, "content-type": "application/json"}
    assert (await client.post("/gallery/call", content=body, headers=headers)).status_code == 400


@pytest.mark.parametrize("reference", ["/etc/hostname", "file:///etc/hostname", "http://127.0.0.1:8000/healthz"])
async def test_the_page_reads_no_file_and_no_service_of_the_servers_machine(
    client: httpx2.AsyncClient, reference: str
) -> None:
    assert (await call(client, "import_image", {"image": reference})).json()["isError"]


async def test_a_body_past_every_picture_is_refused_before_it_is_read(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_calls, "MAX_BODY_BYTES", 100_000)
    arguments = {"image": "data:image/png;base64," + "A" * 300_000}
    assert (await call(client, "import_image", arguments)).status_code == 413


def build_bomb(width: int, height: int) -> str:
    """A PNG of a few kilobytes that says it has so many black pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * ((1 + (width + 7) // 8) * 16), 9)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("size", [(60_000, 60_000), (300, 301 * 40), (299, 200)])
async def test_a_mask_past_its_bounds_is_refused_in_words(
    client: httpx2.AsyncClient, handle: str, size: tuple[int, int]
) -> None:
    """Larger than any picture, or of another shape than its own."""
    result = (await call(client, "make_mask", {"image": handle, "mask": build_bomb(*size)})).json()
    assert result["isError"]
    assert "mask" in result["content"][0]["text"]
    assert "Traceback" not in result["content"][0]["text"]


async def test_a_prompt_in_a_mask_request_is_bounded(client: httpx2.AsyncClient, handle: str) -> None:
    """What the person reads is a line, not a page."""
    result = (await call(client, "erase_object", {"image": handle, "mask": "x" * 10_000})).json()
    assert result["isError"]


async def test_a_record_with_markup_is_json_for_the_page(client: httpx2.AsyncClient, handle: str, home: Path) -> None:
    """The page puts it in as text; opened by itself it is no page either."""
    (record,) = (home / "images").glob(f"*/{handle}.json")
    document = json.loads(record.read_text("utf-8"))
    document["made"] = {"kind": "imported", "imported_from": "</script><script>alert(1)</script>"}
    record.write_text(json.dumps(document), "utf-8")
    response = await client.get(f"/gallery/pictures/{handle}", headers=PAGE)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
