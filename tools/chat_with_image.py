"""Talk, and draw when asked to."""

from __future__ import annotations

from typing import ClassVar

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.chat import ChatWithImage
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(ChatWithImage, Waiting):
    """The flat arguments of ``chat_with_image``; how long it waits is left to the settings."""

    unoffered: ClassVar[frozenset[str]] = ChatWithImage.unoffered | {"wait_s"}


@tool(toolset="chat", read_only=False, destructive=False, idempotent=False)
async def chat_with_image(arguments: Arguments, studio: Studio) -> JobResult:
    """Answer a conversation in words, or draw when asked to. Costs money."""
    return await run(arguments, studio)
