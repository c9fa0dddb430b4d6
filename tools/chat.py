"""Talk with a language model."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.chat import Chat
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="chat", read_only=False, destructive=False, idempotent=False, by_default=False, waits=True)
async def chat(request: Chat, context: ToolContext) -> JobResult:
    """Answer a conversation in words. Costs money."""
    return await context.run(request)
