"""MHAPI, the open image API: strict by its contract, and by the contract's advice where that is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier.server.emulator.mhapi import imgenstd
from atelier.server.emulator.mhapi.errors import error_body

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from atelier.server.emulator.world import World

__all__ = ["error_body", "routes"]


def routes(world: World) -> list[BaseRoute]:
    """All endpoints."""
    return [*imgenstd.routes(world)]
