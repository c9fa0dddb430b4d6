"""``atelier doctor``: what is configured, what each account can do, what is missing. Shows no secret."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING

from atelier_mcp.server import registry
from atelier_mcp.server.app import get_database_url, open_services
from atelier_mcp.server.cli.doctor_road import check_certificates, check_proxies, check_roads
from atelier_mcp.server.cli.findings import Finding
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.ledger_check import check_ledger
from atelier_mcp.server.providers import selection
from atelier_mcp.server.providers.discovery import discover_providers
from atelier_mcp.server.tool_plan import plan_tools

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.providers.spec import InstalledProvider
    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the findings; exit 1 when one of them is bad."""
    findings = [
        *_check_settings(settings),
        _check_ledger(settings),
        *_check_extras(),
        *_check_services(settings),
        # The road before the accounts: when it is broken, every account fails, and these lines say why.
        *check_certificates(),
        *asyncio.run(check_proxies()),
        *asyncio.run(_check_accounts(settings)),
        *check_tools(settings),
    ]
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print_findings(findings)
    # None is neither: something that is not set up and need not be.
    return 1 if any(finding.good is False for finding in findings) else 0


_MARKS = {True: "[green]ok[/]", False: "[red]no[/]", None: "--"}


def _print_findings(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(_MARKS[finding.good], finding.what, finding.words)
    Console().print(table)


def _check_settings(settings: Settings) -> list[Finding]:
    return [Finding("data folder", good=True, words=str(settings.home))]


def _check_ledger(settings: Settings) -> Finding:
    try:
        path = check_ledger(get_database_url(settings))
    except AtelierError as err:
        return Finding("ledger", good=False, words=" ".join(str(err).split()))
    return Finding("ledger", good=True, words=str(path) if path.exists() else f"{path}, made with the first job")


def _check_extras() -> list[Finding]:
    engine = find_spec("cv2") is not None and find_spec("numpy") is not None
    heif = find_spec("pillow_heif") is not None
    return [
        Finding("built-in engine", engine or None, "installed" if engine else 'not installed: "atelier-mcp[engine]"'),
        Finding("HEIF pictures", heif or None, "can be read" if heif else 'cannot be read: "atelier-mcp[heif]"'),
    ]


def _check_services(settings: Settings) -> list[Finding]:
    configured = selection.find_configured_providers(settings)
    findings = [_describe_provider(p, is_configured=p in configured) for p in settings.installed_providers]
    settings_by_name = {p.spec.name: p.settings for p in settings.installed_providers}
    for check in (p.spec.check for p in settings.installed_providers if p.spec.check is not None):
        findings += [Finding(what, good=False, words=words) for what, words in check(settings_by_name)]
    if not configured:
        findings.append(
            Finding("services", good=True, words="none configured: the built-in emulator stands in for all")
        )
    left_out = discover_providers().left_out
    return [*findings, *(Finding("service left out", good=False, words=str(provider)) for provider in left_out)]


def _describe_provider(provider: InstalledProvider, *, is_configured: bool) -> Finding:
    variables = provider.settings.format_required_variables()
    message = "configured" if is_configured else f"not configured: set {variables}"
    if provider.spec.package:
        message += f" (from {provider.spec.package})"
    return Finding(provider.spec.title, is_configured or None, message)


async def _check_accounts(settings: Settings) -> list[Finding]:
    """Ask each account for its models: a read that costs nothing and shows that the credentials are accepted."""
    try:
        async with open_services(settings, clock=SystemClock(), transport="stdio") as services:
            providers = services.router.providers
            findings = [*await check_roads(providers), *[await _check_account(provider) for provider in providers]]
            broken = services.router.broken_providers
            return [*findings, *(Finding(b.spec.title, good=False, words=str(b)) for b in broken)]
    except AtelierError as err:
        return [Finding("server", good=False, words=str(err).replace("\n", " "))]


async def _check_account(provider: Provider) -> Finding:
    capabilities = ", ".join(sorted(provider.operations))
    if not provider.model_kinds:
        message = f"not asked, for it lists nothing and every answer costs; serves {capabilities}"
        return Finding(f"account {provider.account}", good=True, words=message)
    try:
        # One page is enough: the count is said with a plus where there are more.
        page = await provider.list_models(provider.model_kinds[0], base=None, offset=0, limit=100)
    except AtelierError as err:
        return Finding(f"account {provider.account}", good=False, words=str(err).replace("\n", " "))
    model_count = f"{len(page.models)}{'+' if page.has_more else ''} {provider.model_kinds[0]}s"
    return Finding(f"account {provider.account}", good=True, words=f"answers, {model_count}; serves {capabilities}")


def check_tools(settings: Settings) -> list[Finding]:
    """The tools that would be listed, and each tool file that cannot be loaded."""
    plan = plan_tools(settings)
    discovered = registry.discover(toolsets=plan.toolsets)
    definitions = registry.select_tools(
        discovered.definitions, toolsets=plan.toolsets, providers_by_capability=plan.providers_by_capability
    )
    names = ", ".join(definition.name for definition in definitions)
    broken = [Finding("tool left out", good=False, words=str(tool)) for tool in discovered.broken]
    return [Finding("tools", good=bool(definitions), words=names), *broken]
