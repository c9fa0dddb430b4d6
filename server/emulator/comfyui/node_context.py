"""What nodes work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.comfyui.file_store import FileStore
    from atelier_mcp.server.emulator.state import EmulatorState

PNG: Final[dict[str, Any]] = {"file_format": "PNG", "watermark": None}
"""How the engine is to give its pictures."""


@dataclass(frozen=True, slots=True)
class NodeContext:
    """What nodes work with."""

    emulator: EmulatorState
    files: FileStore
    texts: dict[str, str]
    """What is written into every saved file."""
    remarks: list[str] = field(default_factory=list[str])
    """What the engine has to say of what it drew: told beside what is saved, as nodes that show texts do."""
