"""Talk, and draw when asked to."""

from __future__ import annotations

from typing import ClassVar

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.chat import ChatWithImage
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class ChatWithImageArguments(ChatWithImage, WaitArguments):
    """The flat arguments of ``chat_with_image``; how long it waits is left to the settings."""

    hidden_fields: ClassVar[frozenset[str]] = ChatWithImage.hidden_fields | {"wait_s"}


@tool(toolset="chat", read_only=False, destructive=False, idempotent=False)
async def chat_with_image(arguments: ChatWithImageArguments, context: ToolContext) -> JobResult:
    """Answer a conversation in words, or draw when asked to. Costs money."""
    return await run_job(arguments, context)
