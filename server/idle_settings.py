"""Settings that are given and do nothing, for another one that they need is not given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from atelier_mcp.server.providers.selection import find_configured_providers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.spec import InstalledProvider
    from atelier_mcp.server.settings import Settings

# AWS_REGION and the like are left out: other programs read them, too.
_STORE_FIELDS: Final = (
    "store_access_key_id",
    "store_secret_access_key",
    "store_region",
    "store_endpoint_url",
    "store_public_url",
    "store_cache_mb",
)
_STAND_IN_FIELDS: Final = ("emulator_access_log", "emulator_task_s")


class IdleSettings(NamedTuple):
    """Variables that have no effect, all for the same reason."""

    variables: tuple[str, ...]
    reason: str
    """What follows ``has no effect``: ``without ATELIER_STORE_URL``."""
    missing: tuple[str, ...] = ()
    """What would have to be set."""

    def __str__(self) -> str:
        """One sentence."""
        *others, last = self.variables
        names, verb = (f"{', '.join(others)} and {last}", "have") if others else (last, "has")
        return f"{names} {verb} no effect {self.reason}."


def find_idle_settings(settings: Settings) -> list[IdleSettings]:
    """Those of Atelier itself, then those of each service that lacks what it needs to be used.

    Raises ``ConfigurationError`` as ``find_configured_providers``.
    """
    found: list[IdleSettings] = []
    if not settings.store_url:
        variables = _list_given(settings, _STORE_FIELDS)
        found.append(IdleSettings(variables, "without ATELIER_STORE_URL", ("ATELIER_STORE_URL",)))
    if find_configured_providers(settings):
        variables = _list_given(settings, _STAND_IN_FIELDS)
        found.append(IdleSettings(variables, "where a service is configured: no built-in emulator runs then"))
    found += [_find_of_provider(provider) for provider in settings.installed_providers]
    return [idle for idle in found if idle.variables]


def _list_given(settings: Settings, fields: Sequence[str]) -> tuple[str, ...]:
    model_fields = type(settings).model_fields
    return tuple(model_fields[name].alias or name for name in fields if name in settings.model_fields_set)


def _find_of_provider(provider: InstalledProvider) -> IdleSettings:
    settings = provider.settings
    missing = settings.list_missing_variables()
    given = [v for v, name in settings.map_fields_by_variable().items() if name in settings.model_fields_set]
    return IdleSettings(tuple(given) if missing else (), f"without {settings.format_required_variables()}", missing)
