"""MHAPI, the open image API: strict by its contract, and by the contract's advice where that is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.mhapi import (
    erase,
    face,
    imgenstd,
    inpaint,
    lora,
    outpaint,
    split,
    stylization,
    sup_res,
)
from atelier_mcp.server.emulator.mhapi.calls import build_unknown_path_route
from atelier_mcp.server.emulator.mhapi.errors import build_error_body

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.state import EmulatorState

__all__ = ["build_error_body", "build_routes"]

SERVICES: Final = (imgenstd, face, erase, outpaint, stylization, inpaint, sup_res, split, lora)


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """All endpoints; any other path is code 5 (face.no_batch)."""
    return [
        *(endpoint for service in SERVICES for endpoint in service.build_routes(emulator)),
        build_unknown_path_route(emulator),
    ]
