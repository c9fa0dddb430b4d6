"""Calls that a service answers at once: no job, nothing to wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.jobs.submission import prepare
from atelier_mcp.server.providers.base import DirectOperations
from atelier_mcp.tools._job_run import extract_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.requests.base import Request
    from atelier_mcp.server.tool_context import ToolContext


async def call_provider(arguments: Request, context: ToolContext) -> Mapping[str, Any]:
    """What the service answers, and under ``provider`` which one it was."""
    services = context.services
    request = extract_request(arguments, services.settings)
    provider_name: str | None = getattr(arguments, "provider", None)
    provider = services.router.choose_provider(request, provider_name)
    if not isinstance(provider, DirectOperations):
        raise TypeError(f"{provider.name} offers {request.capability} and cannot answer it")
    submission = await prepare(request, provider=provider, pipeline=services.image_pipeline, now=services.clock.now())
    data = await provider.execute(submission.request, await submission.deliver(services.image_pipeline))
    return {"provider": provider.name, **data}
