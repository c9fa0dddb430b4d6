"""Which of several providers does a request: the first whose plan refuses nothing of it.

A plan knows its upstream's limits and reads its lists. So an id leads to the service that has it, and what one service
cannot do to another that can, without anybody having to name it. Nothing is spent by planning.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.faults import raise_rejection_errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.requests.base import Request


class PlannedRoute(NamedTuple):
    """A provider and how it will do the request."""

    provider: Provider
    plan: Plan


async def plan_at_first_able(
    request: Request, headers: Mapping[str, ImageHeader], providers: Sequence[Provider]
) -> PlannedRoute:
    """The first of the providers, preferred ones first, that can do a request and has what it names.

    ``headers`` as for ``Operation.plan``. The plan's notes say why the preferred provider was passed over. One that
    had to take a name unchecked comes after those that list it. Raises ``InvalidRequest`` with the reason of each
    provider where none can, and any other ``AtelierError`` of a plan as it comes.
    """
    refusals: dict[str, InvalidRequest] = {}
    unchecked_route: PlannedRoute | None = None
    for provider in providers:
        try:
            with raise_rejection_errors():
                plan = await provider.operations[request.capability].plan(request, headers)
        except InvalidRequest as err:
            refusals[provider.name] = err
            continue
        route = PlannedRoute(provider, _add_reasons(plan, provider, refusals))
        if not plan.has_unchecked_ids or len(providers) == 1:
            return route
        unchecked_route = unchecked_route or route
    if unchecked_route is not None:
        return unchecked_route
    raise _join_refusals(refusals)


def _add_reasons(plan: Plan, provider: Provider, refusals: Mapping[str, InvalidRequest]) -> Plan:
    if not refusals:
        return plan
    reasons = "; ".join(f"{name} cannot: {err.message.rstrip('.')}" for name, err in refusals.items())
    return replace(plan, notes=(f"At {provider.name}, since {reasons}.", *plan.notes))


def _join_refusals(refusals: Mapping[str, InvalidRequest]) -> InvalidRequest:
    """One error for all; what every provider says in the same words is said once."""
    errors = list(refusals.values())
    if len({err.message for err in errors}) == 1:
        return errors[0]
    lines = ["No configured service can do this.", *(f"{name}: {err.message}" for name, err in refusals.items())]
    return InvalidRequest("\n".join(lines), hint=" ".join(dict.fromkeys(err.hint for err in errors if err.hint)))
