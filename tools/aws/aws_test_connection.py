"""See whether the deployment answers."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import TestConnection
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import ActionResult


# Not read-only: with `storage` it writes a file.
@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def aws_test_connection(request: TestConnection, context: ToolContext) -> ActionResult:
    """Test that the deployment answers and takes the key. Free."""
    data = await context.call(request)
    storage = f" Storage: {data['storage']}." if "storage" in data else ""
    done = f"Connected as {data['user']}; middleware {data['version']} of {data['generation']}.{storage}"
    return ActionResult(provider=data["provider"], done=done)
