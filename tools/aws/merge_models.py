"""Merge checkpoints."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import MergeModels
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import DoneResult


class Arguments(MergeModels):
    """The flat arguments of ``merge_models``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def merge_models(arguments: Arguments, studio: Studio) -> DoneResult:
    """Merge two or three checkpoints into one, where the deployment can; most cannot. May cost money."""
    answer = await answered(arguments, studio)
    done = f"The service took the merge of {', '.join(answer['merged'])}."
    return DoneResult(provider=answer["provider"], done=done, data=dict(answer["answer"]))
