"""Calls that a service answers at once: no job, nothing to wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.jobs.preparing import prepare
from atelier_mcp.server.providers.base import Answering
from atelier_mcp.tools._waiting import request_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.requests.base import Request
    from atelier_mcp.server.studio import Studio


async def answered(arguments: Request, studio: Studio) -> Mapping[str, Any]:
    """What the service answers, and under ``provider`` which one it was."""
    rooms = studio.rooms
    request = request_of(arguments, rooms.settings)
    wanted: str | None = getattr(arguments, "provider", None)
    provider = rooms.router.for_request(request, wanted)
    if not isinstance(provider, Answering):
        raise TypeError(f"{provider.name} offers {request.capability} and cannot answer it")
    prepared = await prepare(request, provider=provider, gallery=rooms.pictures, now=rooms.clock.now())
    answer = await provider.answer(prepared.request, await prepared.deliver(rooms.pictures))
    return {"provider": provider.name, **answer}
