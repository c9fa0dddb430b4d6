"""The routes, and each account asked something that costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.cli.doctor.finding import Finding, build_failure
from atelier_mcp.server.cli.doctor.network import check_images_route, check_routes
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.provider import ReportingService, costs_nothing
from atelier_mcp.server.service_opening import open_services

if TYPE_CHECKING:
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.services import Services
    from atelier_mcp.server.settings import Settings


async def check_services(settings: Settings) -> list[Finding]:
    """Open everything that a call opens, then look at routes and accounts."""
    try:
        async with open_services(settings, clock=SystemClock(), transport="stdio") as services:
            return await _check_opened_services(services)
    except AtelierError as err:
        return [build_failure("server", err)]


async def _check_opened_services(services: Services) -> list[Finding]:
    providers = services.router.providers
    findings = await check_routes(providers)
    findings += await check_images_route(services.settings, providers)
    findings += [await _check_account(provider) for provider in providers]
    return [*findings, *(Finding(b.spec.title, good=False, words=str(b)) for b in services.router.broken_providers)]


async def _check_account(provider: Provider) -> Finding:
    """Ask an account for its models: that shows that the credentials are accepted."""
    what = f"account {provider.account}"
    if isinstance(provider, ReportingService):
        return await _check_report(provider, what)
    capabilities = ", ".join(sorted(provider.operations))
    if not provider.model_kinds:
        costs = "" if costs_nothing(provider) else " and every answer costs"
        message = f"not asked, for it lists nothing{costs}; serves {capabilities}"
        return Finding(what, good=True, words=message)
    try:
        # One page is enough: the count is said with a plus where there are more.
        page = await provider.list_models(provider.model_kinds[0], base=None, offset=0, limit=100)
    except AtelierError as err:
        return build_failure(what, err)
    except Exception as err:  # noqa: BLE001  # a package of somebody else's may raise anything; the others are tried
        return Finding(what, good=False, words=f"could not be asked: {type(err).__name__}")
    model_count = f"{len(page.models)}{'+' if page.has_more else ''} {provider.model_kinds[0]}s"
    return Finding(what, good=True, words=f"answers, {model_count}; serves {capabilities}")


async def _check_report(provider: ReportingService, what: str) -> Finding:
    """What a service says of itself: version, models, and which tools it therefore serves."""
    try:
        report = await provider.report()
    except AtelierError as err:
        return build_failure(what, err)
    served = ", ".join(sorted(report.capabilities)) or "nothing yet"
    return Finding(what, good=True, words=f"answers, {report.words}; serves {served}")
