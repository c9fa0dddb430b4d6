"""What a handler of a WebUI gets: the call, the server's memory, and which variant it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from atelier_mcp.server.emulator.sd_webui.errors import WebuiFault
from atelier_mcp.server.emulator.sd_webui.models import OPTIONS
from atelier_mcp.server.emulator.sd_webui.queue import WebuiQueue
from atelier_mcp.server.emulator.sources import SourceError, SourceRule, decode_base64

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.sd_webui.switches import SdWebuiSwitches
    from atelier_mcp.server.emulator.state import EmulatorState

ANY_IMAGE: Final = SourceRule(
    min_side_px=1, max_side_px=16_384, formats=frozenset({"JPEG", "PNG", "WEBP", "BMP", "GIF"})
)
MAX_IMAGE_BYTES: Final = 64 * 1_048_576


@dataclass(slots=True)
class WebuiServer:
    """What one WebUI remembers between calls."""

    options: dict[str, Any] = field(default_factory=lambda: dict(OPTIONS))
    queue: WebuiQueue = field(default_factory=WebuiQueue)


@dataclass(frozen=True, slots=True)
class WebuiCall:
    """A call that was let in."""

    emulator: EmulatorState
    server: WebuiServer
    switches: SdWebuiSwitches
    request: Request
    body: Mapping[str, Any]

    async def read_image(self, value: Any) -> bytes:
        """The picture that a field holds, in base64 or as a link (conventions.pictures_in); raises WebuiFault."""
        try:
            if not isinstance(value, str):
                raise SourceError("is no text")
            if value.startswith(("http://", "https://")):
                data = await self.emulator.sources.download(value, most_bytes=MAX_IMAGE_BYTES)
            else:
                data = await asyncio.to_thread(decode_base64, value)
            return (await self.emulator.sources.check(data, ANY_IMAGE, most_bytes=MAX_IMAGE_BYTES)).data
        except SourceError:
            raise WebuiFault("HTTPException", "Invalid encoded image") from None


Handler: TypeAlias = "Callable[[WebuiCall], Awaitable[Any]]"
"""Answers with JSON."""
CallRow: TypeAlias = tuple[str, str, Handler]
"""Method, path and handler of one call; ``app`` makes routes of them."""
