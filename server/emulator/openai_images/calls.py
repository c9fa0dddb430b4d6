"""What a handler of the images API gets, and the drawings that were accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.openai_images.switches import OpenaiImagesSwitches
    from atelier_mcp.server.emulator.state import EmulatorState


@dataclass(slots=True)
class AcceptedDrawing:
    """One call that was accepted, and so paid for (contract: billing.failed)."""

    client_request_id: str
    """What the caller named it, for a log."""
    path: str
    model: str
    prompt: str
    count: int
    has_reader: bool = True
    """Whether the caller was still there when it was drawn (contract: billing.disconnect)."""


@dataclass(slots=True)
class OpenaiImagesLedger:
    """The accepted drawings of one emulator, in order, and since when SenseNova refuses."""

    drawings: list[AcceptedDrawing] = field(default_factory=list[AcceptedDrawing])
    throttled_since: float | None = None


@dataclass(frozen=True, slots=True)
class OpenaiImagesCall:
    """An authenticated call."""

    emulator: EmulatorState
    account: Account
    request: Request
    switches: OpenaiImagesSwitches
    ledger: OpenaiImagesLedger
    fields: Mapping[str, Any]
    """Of a JSON body as they are, of a form as what their texts say."""
    files: Mapping[str, list[bytes]]
    """The files of a form by name, in order; ``image``, ``image[]`` and ``image[0]`` are one name."""
    is_form: bool = False


Handler: TypeAlias = "Callable[[OpenaiImagesCall], Awaitable[Response]]"
CallRow: TypeAlias = tuple[str, str, Handler]
"""Method, path and handler of one call; ``app`` makes routes of them."""
