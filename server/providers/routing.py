"""Which provider does a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atelier_mcp.server.providers.base import Provider
    from atelier_mcp.server.requests.base import Request


def _some_credentials(_capability: str) -> str:
    return "the credentials of a service that can"


class Router:
    """The configured providers in order of preference."""

    def __init__(
        self, providers: Sequence[Provider], *, settings_for: Callable[[str], str] = _some_credentials
    ) -> None:
        """``settings_for`` names the settings that would make a capability available."""
        self.providers = tuple(providers)
        self._settings_for = settings_for

    def for_capability(self, capability: str) -> tuple[Provider, ...]:
        """Every provider that can do it, the preferred one first."""
        return tuple(provider for provider in self.providers if capability in provider.capabilities)

    def for_request(self, request: Request, wanted: str | None = None) -> Provider:
        """The preferred provider for a request, or the one called ``wanted``.

        Raises ``ConfigurationError`` naming the setting to add when no provider can do it, ``InvalidRequest`` when
        the wanted one cannot.
        """
        able = self.for_capability(request.capability)
        if not able:
            raise ConfigurationError(
                f"No configured service can {_spoken(request.capability)}.",
                then=f"Set {self._settings_for(request.capability)}.",
            )
        if (only := request.only_at()) is not None:
            able = _that_understands(only, able, request, wanted)
        if wanted is None:
            return able[0]
        for provider in able:
            if provider.name == wanted:
                return provider
        known = any(provider.name == wanted for provider in self.providers)
        raise InvalidRequest(
            f"{wanted} cannot {_spoken(request.capability)}." if known else f"No service {wanted} is configured.",
            then=f"These can: {', '.join(provider.name for provider in able)}.",
        )

    def for_models(self, kind: str, wanted: str | None = None) -> Provider:
        """The preferred provider that lists models of a kind, or the one called ``wanted``.

        Raises ``InvalidRequest`` when there is none.
        """
        able = [provider for provider in self.providers if kind in provider.model_kinds]
        chosen = [provider for provider in able if wanted in (None, provider.name)]
        if chosen:
            return chosen[0]
        kinds = sorted({kind for p in self.providers if wanted in (None, p.name) for kind in p.model_kinds})
        raise InvalidRequest(f"kind: there is no {kind} to list here.", then=f"There are: {', '.join(kinds)}.")

    def by_account(self, account: str) -> Provider | None:
        """The provider with these credentials, if they are configured."""
        return next((provider for provider in self.providers if provider.account == account), None)


def _that_understands(
    only: str, able: Sequence[Provider], request: Request, wanted: str | None
) -> tuple[Provider, ...]:
    """The one provider that a request's exclusive fields leave; another one would ignore them."""
    found = tuple(provider for provider in able if provider.name == only)
    if found and wanted in (None, only):
        return found
    fields = ", ".join(name for name in request.exclusive if getattr(request, name) is not None)
    raise InvalidRequest(f"{fields}: only {only} understands it.", then="Leave it out.")


def _spoken(capability: str) -> str:
    return capability.replace("_", " ")
