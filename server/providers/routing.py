"""Which provider does a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest
from atelier_mcp.server.providers.operation_index import OperationIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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

    def find_providers(self, capability: str) -> tuple[Provider, ...]:
        """Every provider that can do it, the preferred one first."""
        return tuple(provider for provider in self.providers if capability in provider.operations)

    def choose_provider(self, request: Request, provider_name: str | None = None) -> Provider:
        """The preferred provider for a request, or the one called ``provider_name``.

        Raises ``ConfigurationError`` naming the setting to add when no provider can do it, ``InvalidRequest`` when
        the wanted one cannot.
        """
        candidates = self.find_providers(request.capability)
        self._refuse_broken(request.capability, candidates, provider_name)
        if not candidates:
            raise ConfigurationError(
                f"No configured service can {_format_capability(request.capability)}.",
                hint=f"Set {self._describe_settings(request.capability)}.",
            )
        if owners := self._find_owners_of_used_fields(request):
            candidates = _filter_by_exclusive_fields(candidates, owners, provider_name)
        if provider_name is None:
            return candidates[0]
        for provider in candidates:
            if provider.name == provider_name:
                return provider
        is_configured = any(provider.name == provider_name for provider in self.providers)
        raise InvalidRequest(
            f"{provider_name} cannot {_format_capability(request.capability)}."
            if is_configured
            else f"No service {provider_name} is configured.",
            hint=f"These can: {', '.join(provider.name for provider in candidates)}.",
        )

    def choose_model_provider(self, kind: str, provider_name: str | None = None) -> Provider:
        """The preferred provider that lists models of a kind, or the one called ``provider_name``.

        Raises ``InvalidRequest`` when there is none.
        """
        candidates = [provider for provider in self.providers if kind in provider.model_kinds]
        matches = [provider for provider in candidates if provider_name in (None, provider.name)]
        self._refuse_broken("list_models", matches, provider_name)
        if matches:
            return matches[0]
        kinds = sorted({kind for p in self.providers if provider_name in (None, p.name) for kind in p.model_kinds})
        raise InvalidRequest(f"kind: there is no {kind} to list here.", hint=f"There are: {', '.join(kinds)}.")

    def _refuse_broken(self, capability: str, candidates: Sequence[Provider], provider_name: str | None) -> None:
        """Say why a provider could not be built where it was named, or is the only one that has the capability."""
        for broken in self.broken_providers:
            is_last = not candidates and provider_name is None and capability in broken.spec.operations
            if is_last or broken.spec.name == provider_name:
                hint = f"Correct or uninstall {broken.spec.package}; atelier doctor shows whether it can be built."
                raise ConfigurationError(str(broken), hint=hint)

    def _find_owners_of_used_fields(self, request: Request) -> dict[str, str]:
        """The fields a request uses that one provider alone understands, each with its name."""
        owners = self.operations.find_field_owners(request.capability)
        return {name: owner for name, owner in owners.items() if getattr(request, name, None) not in (None, ())}

    def find_by_account(self, account: str) -> Provider | None:
        """The provider with these credentials, if they are configured."""
        return next((provider for provider in self.providers if provider.account == account), None)


def _filter_by_exclusive_fields(
    candidates: Sequence[Provider], owners: Mapping[str, str], provider_name: str | None
) -> tuple[Provider, ...]:
    """The one provider that owns all of these fields; another one would ignore them."""
    names = set(owners.values())
    matches = tuple(provider for provider in candidates if {provider.name} == names)
    if matches and provider_name in (None, matches[0].name):
        return matches
    raise InvalidRequest(
        f"{', '.join(owners)}: only {' and '.join(sorted(names))} understands it.", hint="Leave it out."
    )


def _format_capability(capability: str) -> str:
    return capability.replace("_", " ")
