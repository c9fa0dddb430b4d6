"""Answers of a drawing call: one document, or a stream of events (contract: streaming)."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, StreamingResponse

from atelier_mcp.server.emulator.links import get_origin
from atelier_mcp.server.emulator.openai_images.drawing import build_usage, finish_drawing
from atelier_mcp.server.emulator.openai_images.errors import OpenaiImagesError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.responses import Response

    from atelier_mcp.server.emulator.openai_images.calls import OpenaiImagesCall
    from atelier_mcp.server.emulator.openai_images.drawing import DrawingOrder, FinishedDrawing
    from atelier_mcp.server.emulator.openai_images.parameters import ImageParameters

DONE_EVENT: Final = b"data: [DONE]\n\n"


async def build_response(
    call: OpenaiImagesCall, parameters: ImageParameters, order: DrawingOrder, *, image_count: int
) -> Response:
    """The answer as it was asked for; the head of a stream comes at once, its picture when it is drawn."""
    if parameters.streams:
        events = _stream_events(call, parameters, order, image_count=image_count)
        return StreamingResponse(events, headers={"Content-Type": "text/event-stream"})
    drawing = await finish_drawing(call, parameters, order)
    entries = [_build_entry(call, parameters, drawing, index) for index in range(len(drawing.images))]
    document = {
        "created": int(call.emulator.clock.now()),
        "data": entries,
        **_describe(parameters, drawing),
        "usage": build_usage(parameters, drawing, image_count=image_count),
    }
    identifier = call.fields.get("safety_identifier") or call.fields.get("user")
    return JSONResponse(document | ({"safety_identifier": identifier} if identifier else {}))


async def _stream_events(
    call: OpenaiImagesCall, parameters: ImageParameters, order: DrawingOrder, *, image_count: int
) -> AsyncGenerator[bytes]:
    prefix = "image_edit" if image_count else "image_generation"
    try:
        drawing = await finish_drawing(call, parameters, order)
    except OpenaiImagesError as err:  # the status has gone out: it stays 200 (contract: stream.error)
        yield _encode_event("error", {"type": "error", **err.body})
        return
    shared = {"created_at": int(call.emulator.clock.now()), **_describe(parameters, drawing)}
    first = _encode_image(drawing.images[0])
    for index in range(parameters.preview_count):
        name = f"{prefix}.partial_image"
        yield _encode_event(name, {"type": name, "b64_json": first, **shared, "partial_image_index": index})
    usage = build_usage(parameters, drawing, image_count=image_count)
    # One event a picture, in order (contract: stream.n).
    for image in drawing.images:
        name = f"{prefix}.completed"
        yield _encode_event(name, {"type": name, "b64_json": _encode_image(image), **shared, "usage": usage})
    if call.switches.done_terminator:
        yield DONE_EVENT


def _build_entry(
    call: OpenaiImagesCall, parameters: ImageParameters, drawing: FinishedDrawing, index: int
) -> dict[str, Any]:
    if not parameters.returns_links:
        return {"b64_json": _encode_image(drawing.images[index])}
    seconds = call.emulator.settings.link_seconds
    origin = get_origin(call.request)
    return {"url": call.emulator.links.create_link(drawing.paths[index], origin=origin, seconds=seconds)}


def _describe(parameters: ImageParameters, drawing: FinishedDrawing) -> dict[str, Any]:
    """What was drawn; ``auto`` is resolved, and the size is the real one (contract: size.echo, data.remarks)."""
    return {
        **({"remarks": list(drawing.remarks)} if drawing.remarks else {}),
        "background": "transparent" if parameters.is_transparent else "opaque",
        "output_format": parameters.output_format,
        "quality": drawing.quality,
        "size": f"{drawing.size[0]}x{drawing.size[1]}",
    }


def _encode_image(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _encode_event(name: str, document: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n".encode()
