"""Pictures from words, and edits of pictures (contract: images.generations, images.edits, images.edits_json)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.emulator.openai_images.drawing import accept_drawing
from atelier_mcp.server.emulator.openai_images.errors import OpenaiImagesError, model_not_found
from atelier_mcp.server.emulator.openai_images.parameters import read_drawing
from atelier_mcp.server.emulator.openai_images.responses import build_response
from atelier_mcp.server.emulator.openai_images.sources import read_sources

if TYPE_CHECKING:
    from starlette.responses import Response

    from atelier_mcp.server.emulator.openai_images.calls import CallRow, OpenaiImagesCall
    from atelier_mcp.server.emulator.openai_images.parameters import ImageParameters


def build_rows() -> list[CallRow]:
    """The calls that draw."""
    return [
        ("POST", "/v1/images/generations", generate),
        ("POST", "/v1/images/edits", edit),
        ("POST", "/v1/images/variations", vary),
    ]


async def generate(call: OpenaiImagesCall) -> Response:
    """Pictures from words."""
    if call.is_form:
        raise OpenaiImagesError(400, "Unsupported content type: expected application/json.")
    parameters = read_drawing(call.fields, call.switches, is_edit=False, is_form=False)
    _refuse_throttled(call, parameters)
    order = await accept_drawing(call, parameters, None)
    return await build_response(call, parameters, order, image_count=0)


async def edit(call: OpenaiImagesCall) -> Response:
    """A picture changed by words, inpainted by a mask, or several combined."""
    parameters = read_drawing(call.fields, call.switches, is_edit=True, is_form=call.is_form)
    _refuse_throttled(call, parameters)
    sources = await read_sources(call, parameters.model)
    order = await accept_drawing(call, parameters, sources)
    return await build_response(call, parameters, order, image_count=len(sources.images))


async def vary(call: OpenaiImagesCall) -> Response:
    """Retired; a switch serves it for old clients (contract: images.variations)."""
    if not call.switches.serves_variations:
        raise model_not_found(str(call.fields.get("model", "dall-e-2")))
    fields = {"model": "gpt-image-2", "prompt": "a variation of the picture", "n": call.fields.get("n", 1)}
    parameters = read_drawing(fields, call.switches, is_edit=True, is_form=True)
    sources = await read_sources(call, parameters.model)
    order = await accept_drawing(call, parameters, sources)
    return await build_response(call, parameters, order, image_count=1)


def _refuse_throttled(call: OpenaiImagesCall, parameters: ImageParameters) -> None:
    """SenseNova's limit, in words that say it is for ever (contract: sensenova.403)."""
    if not (parameters.model.is_sensenova and call.switches.throttle_s):
        return
    now, since = call.emulator.clock.now(), call.ledger.throttled_since
    call.ledger.throttled_since = now if since is None else since
    if now - call.ledger.throttled_since < call.switches.throttle_s:
        raise OpenaiImagesError(403, "permission denied", code="7", kind="permission_denied_error")
