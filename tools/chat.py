"""Talk with a language model."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.chat import Chat
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(Chat, Waiting):
    """The flat arguments of ``chat``."""


@tool(toolset="chat", read_only=False, destructive=False, idempotent=False, by_default=False)
async def chat(arguments: Arguments, studio: Studio) -> JobResult:
    """Answer a conversation in words. Costs money."""
    return await run(arguments, studio)
