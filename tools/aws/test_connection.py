"""See whether the deployment answers."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import TestConnection
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import DoneResult


class Arguments(TestConnection):
    """The flat arguments of ``test_connection``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def test_connection(arguments: Arguments, studio: Studio) -> DoneResult:
    """Test that the deployment answers and takes the key. Free."""
    answer = await answered(arguments, studio)
    storage = f" Storage: {answer['storage']}." if "storage" in answer else ""
    done = f"Connected as {answer['user']}; middleware of {answer['generation']}.{storage}"
    return DoneResult(provider=answer["provider"], done=done)
