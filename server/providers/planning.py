"""Which of several providers does a request: the first whose plan refuses nothing of it.

A plan knows its upstream's limits and reads its lists. So an id leads to the service that has it, and what one service
cannot do to another that can, without anybody having to name it. Nothing is spent by planning.

    search = RouteSearch()
    for provider in candidates:             # preferred ones first
        with search.collect_refusal(provider):
            plans[provider.name] = await operation.plan(...)
    provider = search.choose(candidates, plans)
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import AtelierError, InvalidRequest
from atelier_mcp.server.providers.faults import raise_rejection_errors

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.requests.base import Request


class RouteSearch:
    """What providers said to a request."""

    def __init__(self) -> None:
        """Nobody was asked yet."""
        self._refusals: dict[str, InvalidRequest] = {}

    @contextmanager
    def collect_refusal(self, provider: Provider) -> Generator[None]:
        """Keep an ``InvalidRequest`` of the plan inside as the provider's refusal; any other error is raised."""
        try:
            with raise_rejection_errors():
                yield
        except InvalidRequest as err:
            self._refusals[provider.name] = err

    async def find_able(self, others: Sequence[Provider], request: Request, headers: Mapping[str, ImageHeader]) -> None:
        """After every provider has refused, add to what they say those ``others`` that could do the request.

        What else is out of order with one of those is no reason to say another thing than the refusal.
        """
        names: list[str] = []
        for provider in others:
            with suppress(AtelierError), raise_rejection_errors():
                plan = await provider.operations[request.capability].plan(request, headers)
                names += [] if plan.has_unchecked_ids else [provider.name]
        for refusal in self._refusals.values() if names else ():
            way = f"Or leave provider out: {' and '.join(names)} can do it."
            refusal.hint = f"{refusal.hint} {way}" if refusal.hint else way

    def choose(self, providers: Sequence[Provider], plans: Mapping[str, Plan]) -> Provider:
        """The first that can do it; one that had to take a name unchecked comes after those that list it.

        Raises ``InvalidRequest`` with the reason of each provider where none can.
        """
        able_providers = [provider for provider in providers if provider.name in plans]
        if not able_providers:
            raise _join_refusals(self._refusals)
        return min(able_providers, key=lambda provider: plans[provider.name].has_unchecked_ids)

    def explain(self, provider: Provider) -> tuple[str, ...]:
        """Why the chosen provider does it and no preferred one, for the reader; nothing where it is the first."""
        if not self._refusals:
            return ()
        reasons = "; ".join(f"{name} cannot: {err.message.rstrip('.')}" for name, err in self._refusals.items())
        return (f"At {provider.name}, since {reasons}.",)


def _join_refusals(refusals: Mapping[str, InvalidRequest]) -> InvalidRequest:
    """One error for all; what every provider says in the same words is said once."""
    errors = list(refusals.values())
    if len({err.message for err in errors}) == 1:
        return errors[0]
    lines = ["No configured service can do this.", *(f"{name}: {err.message}" for name, err in refusals.items())]
    return InvalidRequest("\n".join(lines), hint=" ".join(dict.fromkeys(err.hint for err in errors if err.hint)))
