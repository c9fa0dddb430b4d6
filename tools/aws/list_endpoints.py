"""See the machines that pictures are made on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListEndpoints
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import EndpointsResult


class Arguments(ListEndpoints):
    """The flat arguments of ``list_endpoints``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_endpoints(arguments: Arguments, studio: Studio) -> EndpointsResult:
    """List inference endpoints with their states; pictures need one InService. Free."""
    return EndpointsResult.model_validate(await answered(arguments, studio))
