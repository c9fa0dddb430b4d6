"""Which of the installed providers the settings make usable, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.providers.operation_index import OperationIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.spec import InstalledProvider, ProviderSpec
    from atelier_mcp.server.settings import Settings


def find_configured_providers(settings: Settings) -> tuple[InstalledProvider, ...]:
    """The providers with credentials, in order of preference; none at all means the built-in emulator.

    Raises ``ConfigurationError`` for half a set of credentials and for a preferred provider without any.
    """
    configured = {p.spec.name: p for p in settings.installed_providers if _has_credentials(p)}
    if not settings.providers:
        return tuple(configured.values())
    for name in settings.providers:
        if name not in configured:
            raise _build_preference_error(name, settings)
    # The others are not used at all, although they have credentials: the list is a choice, not only an order.
    return tuple(configured[name] for name in settings.providers)


def find_usable_providers(settings: Settings) -> tuple[InstalledProvider, ...]:
    """The providers that tools can be listed for: those configured, or all that the built-in emulator plays."""
    return find_configured_providers(settings) or tuple(
        p for p in settings.installed_providers if p.spec.emulator is not None
    )


def index_operations(settings: Settings) -> OperationIndex:
    """The operations of all installed providers, those that are configured first, with what each needs to be used."""
    configured = _list_configured_specs(settings)
    # With credentials, and left out of the operator's list.
    excluded = [p.spec for p in settings.installed_providers if p.spec not in configured and _has_credentials(p)]
    return OperationIndex(
        # A further endpoint of a service says nothing that the first one does not.
        [spec for spec in list_specs(settings) if not spec.is_further or spec in configured],
        required_settings={spec.name: f"ATELIER_PROVIDERS to name {spec.name}, too" for spec in excluded},
    )


def list_specs(settings: Settings) -> tuple[ProviderSpec, ...]:
    """The specs of all installed providers, those that are configured first, in order of preference."""
    configured = _list_configured_specs(settings)
    others = [p.spec for p in settings.installed_providers if p.spec not in configured]
    return (*configured, *others)


def map_providers_by_capability(providers: Sequence[InstalledProvider]) -> dict[str, tuple[str, ...]]:
    """Each capability with the names of the providers that offer it, preferred first."""
    capabilities = sorted({capability for p in providers for capability in p.spec.operations})
    return {name: tuple(p.spec.name for p in providers if name in p.spec.operations) for name in capabilities}


def describe_settings_for(capability: str, settings: Settings) -> str:
    """What to set so that a capability can be served, for the reader of an error."""
    specs = [p.spec for p in settings.installed_providers]
    return ", or ".join(s.settings.format_required_variables() for s in specs if capability in s.operations)


def list_uploader_variables(settings: Settings) -> tuple[str, ...]:
    """What to set for each provider that lends images: ``MIAOHUA_EMAIL and MIAOHUA_PASSWORD``."""
    return tuple(
        p.spec.settings.format_required_variables() for p in settings.installed_providers if p.spec.hosts_images
    )


def _list_configured_specs(settings: Settings) -> list[ProviderSpec]:
    return [p.spec for p in find_configured_providers(settings)]


def _has_credentials(provider: InstalledProvider) -> bool:
    """True for all that is required, False for none of it."""
    missing = provider.settings.list_missing_variables()
    # Half a set is a slip; no set at all means another service is used.
    if missing and len(missing) < len(provider.settings.required_fields):
        variables = provider.settings.format_required_variables()
        raise ConfigurationError(f"{provider.spec.title} needs {variables}; {' and '.join(missing)} is missing.")
    return not missing


def _build_preference_error(name: str, settings: Settings) -> ConfigurationError:
    specs = {p.spec.name: p.spec for p in settings.installed_providers}
    if name in specs:
        variables = specs[name].settings.format_required_variables()
        return ConfigurationError(f"ATELIER_PROVIDERS names {name}, which needs {variables}.")
    return ConfigurationError(f"ATELIER_PROVIDERS: there is no service {name!r}; there are {', '.join(specs)}.")
