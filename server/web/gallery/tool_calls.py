"""Tools as the gallery's page calls them: a few of them, by the same functions as for any client."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.server.mcpserver.tools import Tool
    from starlette.requests import Request
    from starlette.responses import Response

CALLABLE_TOOLS: Final = frozenset(
    {
        "cancel_jobs",
        "cut_out_subject",
        "erase_object",
        "generate_image",
        "import_image",
        "inpaint_image",
        "list_jobs",
        "make_mask",
        "upscale_image",
        "view_image",
    }
)
MAX_BODY_BYTES: Final = 70_000_000
"""A picture of 50 MB as a data URL, and words around it."""


@dataclass(frozen=True, slots=True)
class PageCall:
    """What a tool is told of a call that came from a page: headers, and nobody to report progress to or to ask."""

    headers: Mapping[str, str]
    protocol_version: str | None = None
    client_capabilities: None = None
    request_state: None = None
    input_responses: None = None

    async def report_progress(self, *_: object) -> None:
        """The page asks for the job instead."""


async def call_tool(request: Request, tools: Mapping[str, Tool]) -> Response:
    """The answer of the tool that a page's JSON names: ``{"tool": ..., "arguments": {...}}``."""
    document = await read_document(request)
    name, arguments = document.get("tool"), document.get("arguments")
    tool = tools.get(name) if isinstance(name, str) and name in CALLABLE_TOOLS else None
    if tool is None or not isinstance(arguments, dict):
        return PlainTextResponse("There is no such call.", status_code=400)
    call: Any = PageCall(dict(request.headers))
    result = await tool.run(arguments, call)  # pyright: ignore[reportUnknownArgumentType]  # validated by the tool
    return JSONResponse(result.model_dump(mode="json", by_alias=True, exclude_none=True))


async def read_document(request: Request) -> dict[str, Any]:
    """A body as a JSON object; an empty one where it is none. Raises ``BodyTooLarge`` before all is read."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
    try:
        document = await asyncio.to_thread(json.loads, bytes(body))
    # Too deep is no call either.
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # JSON


class BodyTooLarge(Exception):
    """More than any picture takes."""
