"""Talk with a language model."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.chat import Chat
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class ChatArguments(Chat, WaitArguments):
    """The flat arguments of ``chat``."""


@tool(toolset="chat", read_only=False, destructive=False, idempotent=False, by_default=False)
async def chat(arguments: ChatArguments, context: ToolContext) -> JobResult:
    """Answer a conversation in words. Costs money."""
    return await run_job(arguments, context)
