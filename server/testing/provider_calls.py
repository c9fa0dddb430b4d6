"""A provider's operations called as the jobs call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.base import SubmitCall
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.operation import DirectOperation, JobOperation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan, ProgressCallback, SubmitAnswer
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.requests.base import Request


def ignore_progress(_share: float | None, _word: str) -> None:
    """A ``ProgressCallback`` nobody reads."""


async def plan(provider: Provider, request: Request, headers: Mapping[str, ImageHeader] | None = None) -> Plan:
    """The request as the provider would send it; ``headers`` as in ``Operation.plan``. Raises any ``AtelierError``."""
    with raise_rejection_errors():
        return await provider.operations[request.capability].plan(request, headers or {})


async def submit(
    provider: Provider,
    request: Request,
    images: Mapping[str, str] | None = None,
    report: ProgressCallback = ignore_progress,
) -> SubmitAnswer:
    """Send a planned request; ``images`` as in ``JobOperation.submit``. Raises any ``AtelierError``."""
    operation = provider.operations[request.capability]
    assert isinstance(operation, JobOperation), f"{provider.name} makes no job of {request.capability}"
    with raise_rejection_errors():
        return await operation.submit(request, images or {}, SubmitCall("job_testtesttesttest", report))


async def execute(provider: Provider, request: Request, images: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    """Do at once what makes no job."""
    operation = provider.operations[request.capability]
    assert isinstance(operation, DirectOperation)
    with raise_rejection_errors():
        return await operation.execute(request, images or {})
