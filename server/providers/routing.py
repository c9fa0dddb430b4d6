"""Which provider does a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atelier_mcp.server.providers.base import Provider
    from atelier_mcp.server.requests.base import Request


def _describe_credentials(_capability: str) -> str:
    return "the credentials of a service that can"


class Router:
    """The configured providers in order of preference."""

    def __init__(
        self, providers: Sequence[Provider], *, describe_settings: Callable[[str], str] = _describe_credentials
    ) -> None:
        """``describe_settings`` names the settings that would make a capability available."""
        self.providers = tuple(providers)
        self._describe_settings = describe_settings

    def find_providers(self, capability: str) -> tuple[Provider, ...]:
        """Every provider that can do it, the preferred one first."""
        return tuple(provider for provider in self.providers if capability in provider.capabilities)

    def choose_provider(self, request: Request, provider_name: str | None = None) -> Provider:
        """The preferred provider for a request, or the one called ``provider_name``.

        Raises ``ConfigurationError`` naming the setting to add when no provider can do it, ``InvalidRequest`` when
        the wanted one cannot.
        """
        candidates = self.find_providers(request.capability)
        if not candidates:
            raise ConfigurationError(
                f"No configured service can {_format_capability(request.capability)}.",
                hint=f"Set {self._describe_settings(request.capability)}.",
            )
        if (exclusive_name := request.find_exclusive_provider()) is not None:
            candidates = _filter_by_exclusive_fields(exclusive_name, candidates, request, provider_name)
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
        if matches:
            return matches[0]
        kinds = sorted({kind for p in self.providers if provider_name in (None, p.name) for kind in p.model_kinds})
        raise InvalidRequest(f"kind: there is no {kind} to list here.", hint=f"There are: {', '.join(kinds)}.")

    def find_by_account(self, account: str) -> Provider | None:
        """The provider with these credentials, if they are configured."""
        return next((provider for provider in self.providers if provider.account == account), None)


def _filter_by_exclusive_fields(
    exclusive_name: str, candidates: Sequence[Provider], request: Request, provider_name: str | None
) -> tuple[Provider, ...]:
    """The one provider that a request's exclusive fields leave; another one would ignore them."""
    matches = tuple(provider for provider in candidates if provider.name == exclusive_name)
    if matches and provider_name in (None, exclusive_name):
        return matches
    fields = ", ".join(name for name in request.exclusive_fields if getattr(request, name) is not None)
    raise InvalidRequest(f"{fields}: only {exclusive_name} understands it.", hint="Leave it out.")


def _format_capability(capability: str) -> str:
    return capability.replace("_", " ")
