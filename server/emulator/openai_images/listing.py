"""The models of an account (contract: models.list, models.get)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from atelier_mcp.server.emulator.openai_images.errors import model_not_found
from atelier_mcp.server.emulator.openai_images.models import MODELS, TEXT_MODEL, build_entry

if TYPE_CHECKING:
    from starlette.responses import Response

    from atelier_mcp.server.emulator.openai_images.calls import CallRow, OpenaiImagesCall


def build_rows() -> list[CallRow]:
    """The calls that list."""
    return [("GET", "/v1/models", list_models), ("GET", "/v1/models/{model}", get_model)]


async def list_models(_call: OpenaiImagesCall) -> Response:
    """All models, not only those that draw."""
    return JSONResponse({"object": "list", "data": [build_entry(name) for name in (*MODELS, TEXT_MODEL)]})


async def get_model(call: OpenaiImagesCall) -> Response:
    """One model."""
    name = call.request.path_params["model"]
    if name not in (*MODELS, TEXT_MODEL, call.switches.unlisted_model):
        raise model_not_found(name)
    return JSONResponse(build_entry(name))
