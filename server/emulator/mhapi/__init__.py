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
from atelier_mcp.server.emulator.mhapi.calls import unknown_path
from atelier_mcp.server.emulator.mhapi.errors import error_body

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.world import World

__all__ = ["error_body", "routes"]

SERVICES: Final = (imgenstd, face, erase, outpaint, stylization, inpaint, sup_res, split, lora)


def routes(world: World) -> list[BaseRoute]:
    """All endpoints; any other path is code 5 (face.no_batch)."""
    return [*(endpoint for service in SERVICES for endpoint in service.routes(world)), unknown_path(world)]
