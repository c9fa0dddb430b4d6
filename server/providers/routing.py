"""Which provider does a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest
from atelier_mcp.server.providers.field_owners import build_field_refusal, find_used_fields
from atelier_mcp.server.providers.operation_index import OperationIndex
from atelier_mcp.server.providers.provider import costs_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.providers.spec import BrokenProvider
    from atelier_mcp.server.requests.base import Request


def _describe_credentials(_capability: str) -> str:
    return "the credentials of a service that can"


class Router:
    """The configured providers in order of preference."""

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        describe_settings: Callable[[str], str] = _describe_credentials,
        operations: OperationIndex | None = None,
        broken_providers: Sequence[BrokenProvider] = (),
    ) -> None:
        """``describe_settings`` names the settings that would make a capability available.

        ``operations`` are those of all providers there are, so that a field can be told from one nobody here knows.
        ``broken_providers`` are configured and could not be built: who asks for one is told why.
        """
        self.providers: tuple[Provider, ...] = tuple(providers)
        self.operations: OperationIndex = operations or OperationIndex()
        self.broken_providers: tuple[BrokenProvider, ...] = tuple(broken_providers)
        self._describe_settings = describe_settings

    @property
    def is_free(self) -> bool:
        """True when nothing costs anything, whichever provider does it."""
        return all(costs_nothing(provider) for provider in self.providers)

    def find_providers(self, capability: str) -> tuple[Provider, ...]:
        """Every provider that can do it, the preferred one first."""
        return tuple(provider for provider in self.providers if capability in provider.operations)

    def find_candidates(self, request: Request, provider_name: str | None = None) -> tuple[Provider, ...]:
        """The providers that may do a request, the preferred one first, or the one called ``provider_name``.

        ``plan_at_first_able`` tells which of them does it. Raises ``ConfigurationError`` naming the setting to add when
        no provider can do it, ``InvalidRequest`` when the wanted one cannot.
        """
        candidates = self.find_providers(request.capability)
        self._refuse_broken(request.capability, candidates, provider_name)
        if not candidates:
            raise ConfigurationError(
                f"No configured service can {_format_capability(request.capability)}.",
                hint=f"Set {self._describe_settings(request.capability)}.",
            )
        # Before the caller's own choice: a service that does not know a field would ignore it without a word.
        candidates = self._filter_by_exclusive_fields(candidates, request, provider_name)
        if provider_name is None:
            return candidates
        for provider in candidates:
            if provider.name == provider_name:
                return (provider,)
        is_configured = any(provider.name == provider_name for provider in self.providers)
        raise InvalidRequest(
            f"{provider_name} cannot {_format_capability(request.capability)}."
            if is_configured
            else f"No service {provider_name} is configured.",
            hint=f"These can: {', '.join(provider.name for provider in candidates)}.",
        )

    def find_model_providers(self, kinds: Sequence[str], provider_name: str | None = None) -> tuple[Provider, ...]:
        """The providers that list models of any of these kinds, or the one called ``provider_name``.

        Raises ``InvalidRequest`` where none of them lists any of the kinds.
        """
        candidates = [provider for provider in self.providers if provider_name in (None, provider.name)]
        matches = tuple(provider for provider in candidates if set(kinds) & set(provider.model_kinds))
        self._refuse_broken("list_models", matches, provider_name)
        there_is = {kind for provider in candidates for kind in provider.model_kinds}
        if not there_is.intersection(kinds):
            raise InvalidRequest(
                f"kind: there is no {' and no '.join(kinds)} to list here.",
                hint=f"There are: {', '.join(sorted(there_is))}.",
            )
        return matches

    def _refuse_broken(self, capability: str, candidates: Sequence[Provider], provider_name: str | None) -> None:
        """Say why a provider could not be built where it was named, or is the only one that has the capability."""
        for broken in self.broken_providers:
            is_last = not candidates and provider_name is None and capability in broken.spec.operations
            if is_last or broken.spec.name == provider_name:
                hint = f"Correct or uninstall {broken.spec.package}; atelier doctor shows whether it can be built."
                raise ConfigurationError(str(broken), hint=hint)

    def _filter_by_exclusive_fields(
        self, candidates: Sequence[Provider], request: Request, provider_name: str | None
    ) -> tuple[Provider, ...]:
        """The providers that own all fields that only some understand; another one would ignore them."""
        used = find_used_fields(request, self.operations)
        matches = tuple(
            provider
            for provider in candidates
            if all(any(owner.name == provider.name for owner in owners) for owners in used.values())
        )
        if matches and (not used or provider_name in (None, *(provider.name for provider in matches))):
            return matches
        configured = [provider.name for provider in candidates]
        raise build_field_refusal(used, configured=configured, other_ways=request.other_ways)

    def find_by_account(self, account: str) -> Provider | None:
        """The provider with these credentials, if they are configured."""
        return next((provider for provider in self.providers if provider.account == account), None)


def _format_capability(capability: str) -> str:
    return capability.replace("_", " ")
