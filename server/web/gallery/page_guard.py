"""What keeps other pages out of the gallery: headers of its own pages, and the marks browsers put on requests.

A browser sends ``Sec-Fetch-Site`` to https and loopback, and ``Origin`` with every POST. Neither can be forged by a
page. A request that changes something must come from this very origin, with the port: a page of another local server
passes for the same host.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    Endpoint = Callable[[Request], Awaitable[Response]]

COMMON_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    # Not no-referrer: with it a browser sends ``Origin: null`` with our own requests.
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
DATA_CSP: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""Of everything that is no page: opened by itself, it runs nothing."""
FRESH_HEADERS: Final = {**COMMON_HEADERS, "content-security-policy": DATA_CSP, "cache-control": "no-store"}
"""Of what changes."""


def build_page_csp(html: str) -> str:
    """The content security policy of a page: its own script and style by their hashes, and this server."""
    return (
        f"default-src 'none'; script-src {_hash_element(html, 'script')}; style-src {_hash_element(html, 'style')}; "
        "img-src 'self' data: blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


def _hash_element(html: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digest = hashlib.sha256((found[1] if found else "").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def guard_read(endpoint: Endpoint) -> Endpoint:
    """The endpoint for requests of our own pages and of programs; not of other sites' pages."""

    async def answer(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
            return PlainTextResponse("Not from another site.", status_code=403, headers=COMMON_HEADERS)
        return await endpoint(request)

    return answer


def guard_change(endpoint: Endpoint) -> Endpoint:
    """The endpoint for JSON from our own pages alone."""

    async def answer(request: Request) -> Response:
        is_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
        if not _is_from_own_page(request):
            return PlainTextResponse("Not from another page.", status_code=403, headers=COMMON_HEADERS)
        # A form cannot send it, so that the browser asks first, and gets no answer.
        if not is_json:
            return PlainTextResponse("JSON is needed.", status_code=415, headers=COMMON_HEADERS)
        return await endpoint(request)

    return answer


def _is_from_own_page(request: Request) -> bool:
    origin, host = request.headers.get("origin", ""), request.headers.get("host", "")
    site = request.headers.get("sec-fetch-site")
    # A proxy may have ended TLS: then the browser's word counts, which it gives over https, and no page can put there.
    schemes = {request.url.scheme, "https"} if site == "same-origin" else {request.url.scheme}
    return site in {None, "same-origin"} and origin in {f"{scheme}://{host}" for scheme in schemes}
