"""See what the service itself has on record."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import ListInferenceJobs
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._answering import answered
from atelier_mcp.tools.aws._shown import InferencesResult


class Arguments(ListInferenceJobs):
    """The flat arguments of ``list_inference_jobs``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_inference_jobs(arguments: Arguments, studio: Studio) -> InferencesResult:
    """List the service's own inference jobs, those of others too, or one with its parameters. Free."""
    return InferencesResult.model_validate(await answered(arguments, studio))
