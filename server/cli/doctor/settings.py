"""The settings as far as they can be used: what is wrong in them is told, left out, and the rest looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server import registry
from atelier_mcp.server.cli.doctor.finding import Finding, build_failure
from atelier_mcp.server.cli.installation import format_setting
from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.idle_settings import find_idle_settings
from atelier_mcp.server.providers.discovery import discover_providers
from atelier_mcp.server.settings import CONFIG_VARIABLE, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.spec import InstalledProvider
    from atelier_mcp.server.settings import Settings

MAX_WRONG_SETTINGS: Final = 20


@dataclass(frozen=True, slots=True)
class UsableSettings:
    """What can be used of the settings; ``settings`` is None where nothing can."""

    settings: Settings | None
    findings: list[Finding]
    is_complete: bool
    """False when something was left out: the server itself would not start."""


def read_settings() -> UsableSettings:
    """The settings without those that are wrong, each of which is a bad finding."""
    environ, findings = dict(os.environ), list[Finding]()
    while len(findings) < MAX_WRONG_SETTINGS:
        try:
            settings = load_settings(environ)
        except ConfigurationError as err:
            findings.append(build_failure("settings", err))
            # The error begins with the variable; one in the file that cannot be read takes the whole file out.
            wrong = err.message.partition(":")[0].partition(" ")[0]
            if environ.pop(wrong, None) is None and environ.pop(CONFIG_VARIABLE, None) is None:
                return UsableSettings(None, findings, is_complete=False)
        else:
            return _leave_out_wrong_choices(settings, findings)
    return UsableSettings(None, findings, is_complete=False)


def _leave_out_wrong_choices(settings: Settings, findings: list[Finding]) -> UsableSettings:
    """Without providers that are half configured or preferred without credentials, and toolsets there are not."""
    was_complete = not findings
    halves = [p for p in settings.installed_providers if _is_half_configured(p)]
    whole = tuple(p for p in settings.installed_providers if p not in halves)
    ready = {p.spec.name for p in whole if not p.settings.list_missing_variables()}
    preferred = tuple(name for name in settings.providers if name in ready)
    toolsets = tuple(name for name in settings.toolsets if name in {*registry.TOOLSETS, "all"})
    for name in settings.providers:
        if name not in ready:
            findings.append(_describe_preferred(name, settings))
    for name in settings.toolsets:
        if name not in toolsets:
            words = f"there is no toolset {name!r}; there are {', '.join(registry.TOOLSETS)}, or all"
            findings.append(Finding("ATELIER_TOOLSETS", good=False, words=words))
    is_complete = was_complete and not halves and not findings
    changes = {"installed_providers": whole, "providers": preferred, "toolsets": toolsets}
    findings += [_describe_half(provider) for provider in halves]
    return UsableSettings(settings.model_copy(update=changes), findings, is_complete)


def _is_half_configured(provider: InstalledProvider) -> bool:
    missing = provider.settings.list_missing_variables()
    return 0 < len(missing) < len(provider.settings.required_fields)


def _describe_half(provider: InstalledProvider) -> Finding:
    missing = provider.settings.list_missing_variables()
    verb = "is" if len(missing) == 1 else "are"
    words = f"half configured: {' and '.join(missing)} {verb} missing, and the server does not start so"
    return Finding(provider.spec.title, good=False, words=words, remedy=format_setting(missing[0]))


def _describe_preferred(name: str, settings: Settings) -> Finding:
    known = {p.spec.name: p for p in settings.installed_providers}
    if name not in known:
        words = f"there is no service {name!r}; there are {', '.join(known)}"
    else:
        words = f"names {name}, which needs {known[name].settings.format_required_variables()}"
    return Finding("ATELIER_PROVIDERS", good=False, words=words)


def check_idle_settings(settings: Settings) -> list[Finding]:
    """A bad finding for settings that do nothing as things stand: whoever gave them counts on them."""
    return [
        Finding("settings", good=False, words=str(idle), remedy=format_setting(idle.missing[0]) if idle.missing else "")
        for idle in find_idle_settings(settings)
    ]


def describe_services(settings: Settings) -> list[Finding]:
    """Which services are configured, what they will miss, and packages whose provider cannot be loaded."""
    findings = [
        _describe_provider(p, preferred=settings.providers)
        for p in settings.installed_providers
        if not (p.spec.is_further and p.settings.list_missing_variables())
    ]
    settings_by_name = {p.spec.name: p.settings for p in settings.installed_providers}
    for check in (p.spec.check for p in settings.installed_providers if p.spec.check is not None):
        findings += [Finding(what, good=False, words=words) for what, words in check(settings_by_name)]
    left_out = discover_providers().left_out
    return [*findings, *(Finding("service left out", good=False, words=str(provider)) for provider in left_out)]


def _describe_provider(provider: InstalledProvider, *, preferred: Sequence[str]) -> Finding:
    is_configured = not provider.settings.list_missing_variables()
    is_used = is_configured and (not preferred or provider.spec.name in preferred)
    variables = provider.settings.format_required_variables()
    message = "configured" if is_configured else f"not configured: set {variables}"
    if is_configured and not is_used:
        message += f", and not used: ATELIER_PROVIDERS does not name {provider.spec.name}"
    if provider.spec.package:
        message += f" (from {provider.spec.package})"
    return Finding(provider.spec.title, is_used or None, message)
