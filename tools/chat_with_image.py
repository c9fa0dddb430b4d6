"""Talk, and draw when asked to."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.chat import ChatWithImage
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="chat", read_only=False, destructive=False, idempotent=False, waits=True, hidden_options=("wait_s",))
async def chat_with_image(request: ChatWithImage, context: ToolContext) -> JobResult:
    """Answer a conversation in words, or draw when asked to. Costs money."""
    return await context.run(request)
