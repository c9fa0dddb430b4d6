"""What a handler of ComfyUI gets: the server's parts, and the request with its JSON body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from atelier_mcp.server.emulator.comfyui.event_hub import EventHub
from atelier_mcp.server.emulator.comfyui.file_store import FileStore
from atelier_mcp.server.emulator.comfyui.prompt_queue import EmulatedPromptQueue
from atelier_mcp.server.emulator.comfyui.switches import ComfyuiSwitches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from atelier_mcp.server.emulator.state import EmulatorState

ComfyuiHandler: TypeAlias = "Callable[[ComfyuiCall], Awaitable[Response]]"
ComfyuiRow: TypeAlias = tuple[str, str, ComfyuiHandler]
"""Method, path and handler."""


class ComfyuiState:
    """One emulated server."""

    def __init__(self, emulator: EmulatorState) -> None:
        """Its files lie in the emulator's folder."""
        self.emulator: EmulatorState = emulator
        self.events: EventHub = EventHub()
        self.files: FileStore = FileStore(lambda: emulator.store.folder)
        self.queue: EmulatedPromptQueue = EmulatedPromptQueue(emulator, self.files, self.events)

    @property
    def switches(self) -> ComfyuiSwitches:
        """As they are set now."""
        return self.emulator.settings.get_switches(ComfyuiSwitches)


_states: WeakKeyDictionary[EmulatorState, ComfyuiState] = WeakKeyDictionary()


def get_state(emulator: EmulatorState) -> ComfyuiState:
    """The server of an emulator, made when it is first asked for."""
    if emulator not in _states:
        _states[emulator] = ComfyuiState(emulator)
    return _states[emulator]


@dataclass(frozen=True, slots=True)
class ComfyuiCall:
    """One call."""

    state: ComfyuiState
    request: Request
    body: Mapping[str, Any]
    """Empty where there is none."""

    @property
    def switches(self) -> ComfyuiSwitches:
        """As they are set now."""
        return self.state.switches
