"""Which of several providers does a request: the first whose plan refuses nothing of it.

A plan knows its upstream's limits and reads its lists. So an id leads to the service that has it, and what one service
cannot do to another that can, without anybody having to name it. Nothing is spent by planning.

    search = RouteSearch(request, headers)
    await search.plan_until_able(candidates)        # preferred ones first
    provider, plan = search.choose(candidates)
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import AtelierError, InvalidRequest
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.requests.prompt_syntax import has_prompt_signs, use_plain_prompts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.requests.base import Request


class RouteSearch:
    """What providers say to a request."""

    def __init__(self, request: Request, headers: Mapping[str, ImageHeader]) -> None:
        """``headers`` holds what the header of each image says, by place in the request. Nobody was asked yet."""
        self._request = request
        self._headers = headers
        self._plans: dict[str, Plan] = {}
        self._refusals: dict[str, InvalidRequest] = {}

    async def plan_until_able(self, providers: Sequence[Provider]) -> None:
        """Have one provider after the other plan it, until one can do it and has all that it names.

        An ``InvalidRequest`` of a plan is kept as the provider's refusal; any other error is raised.
        """
        for provider in providers:
            try:
                plan = self._plans[provider.name] = await self._plan(provider)
            except InvalidRequest as err:
                self._refusals[provider.name] = err
            else:
                if not plan.has_unchecked_ids:
                    return

    async def suggest(self, others: Sequence[Provider]) -> None:
        """Where every provider refused, add to what they say those ``others`` that could do it."""
        if self._plans:
            return
        names: list[str] = []
        for provider in others:
            with suppress(AtelierError):  # the refusal stands, whatever else is out of order
                if provider.name not in self._refusals and not (await self._plan(provider)).has_unchecked_ids:
                    names.append(provider.name)
        for refusal in self._refusals.values() if names else ():
            way = f"Or leave provider out: {' and '.join(names)} can do it."
            refusal.hint = f"{refusal.hint} {way}" if refusal.hint else way

    def choose(self, providers: Sequence[Provider]) -> tuple[Provider, Plan]:
        """The first that can do it, with its plan; one that took a name unchecked comes after those that list it.

        Raises ``InvalidRequest`` with the reason of each provider where none can.
        """
        able_providers = [provider for provider in providers if provider.name in self._plans]
        if not able_providers:
            raise _join_refusals(self._refusals)
        chosen = min(able_providers, key=lambda provider: self._plans[provider.name].has_unchecked_ids)
        return chosen, self._plans[chosen.name]

    def explain(self, provider: Provider) -> tuple[str, ...]:
        """Why the chosen provider does it and no preferred one, for the reader; nothing where it is the first."""
        if not self._refusals:
            return ()
        reasons = "; ".join(f"{name} cannot: {err.message.rstrip('.')}" for name, err in self._refusals.items())
        return (f"At {provider.name}, since {reasons}.",)

    async def _plan(self, provider: Provider) -> Plan:
        operation = provider.operations[self._request.capability]
        request, sign_notes = self._request, ()
        if has_prompt_signs(request):
            request, sign_notes = use_plain_prompts(request, kept=operation.prompt_notations)
        with raise_rejection_errors():
            plan = await operation.plan(request, self._headers)
        return replace(plan, notes=(*sign_notes, *plan.notes))


def _join_refusals(refusals: Mapping[str, InvalidRequest]) -> InvalidRequest:
    """One error for all; what every provider says in the same words is said once."""
    errors = list(refusals.values())
    if len({err.message for err in errors}) == 1:
        return errors[0]
    lines = ["No configured service can do this.", *(f"{name}: {err.message}" for name, err in refusals.items())]
    return InvalidRequest("\n".join(lines), hint=" ".join(dict.fromkeys(err.hint for err in errors if err.hint)))
