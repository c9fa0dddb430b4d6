"""Calls of the engine: its functions by name, and the one place that knows the module they are in.

A stored task names its function alone (``"erase"``), so that one written before the engine's module was renamed or
moved is still rendered (see ``former_names``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

WORKER_MODULE: Final = "atelier_mcp.server.engine.worker_functions"


class Engine(Protocol):
    """Runs functions by module and name: ``"atelier_mcp.server.engine.worker_functions:erase"``."""

    async def run(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """The function's result; ValueError when it refuses what it was given."""
        ...


@dataclass(frozen=True, slots=True)
class EngineTask:
    """A call to be made later: the function's name, and JSON arguments with images as bytes anywhere in them."""

    function: str
    arguments: Mapping[str, Any]


async def call_engine(engine: Engine, function: str, **arguments: Any) -> Any:
    """The result of a worker function, ``"erase"`` for example; ValueError when it refuses what it was given."""
    return await engine.run(f"{WORKER_MODULE}:{function}", **arguments)
