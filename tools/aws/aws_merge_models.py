"""Merge checkpoints."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import MergeModels
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools.aws._aws_results import ActionResult


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def aws_merge_models(request: MergeModels, context: ToolContext) -> ActionResult:
    """Merge two or three checkpoints into one, where the deployment can; most cannot. May cost money."""
    data = await context.call(request)
    done = f"The service took the merge of {', '.join(data['merged'])}."
    return ActionResult(provider=data["provider"], done=done, data=dict(data["answer"]))
