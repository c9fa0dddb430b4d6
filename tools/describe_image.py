"""Put a picture into words."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.understand import DescribeImage
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(DescribeImage, Waiting):
    """The flat arguments of ``describe_image``."""


@tool(toolset="understand", read_only=False, destructive=False, idempotent=False)
async def describe_image(arguments: Arguments, studio: Studio) -> JobResult:
    """Describe a picture in words."""
    return await run(arguments, studio)
