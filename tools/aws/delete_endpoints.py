"""Give up the machines that pictures are made on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import DeleteEndpoints
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import DoneResult


class Arguments(DeleteEndpoints):
    """The flat arguments of ``delete_endpoints``."""


@tool(toolset="aws", read_only=False, destructive=True, idempotent=True)
async def delete_endpoints(arguments: Arguments, studio: Studio) -> DoneResult:
    """Delete endpoints by their exact names: their billing ends, and jobs on them are lost. Free."""
    answer = await answered(arguments, studio)
    return DoneResult(provider=answer["provider"], done=f"Deleted: {', '.join(answer['deleted'])}.")
