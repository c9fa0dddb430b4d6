"""``atelier doctor``: what is configured, what each account can do, what is missing. Shows no secret.

Every part is looked at for itself: a setting or a service that is wrong is told, and what is left is tried all the
same.
"""

from __future__ import annotations

import asyncio
import platform
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from atelier_mcp import __version__
from atelier_mcp.server import logs, registry
from atelier_mcp.server.cli._client import print_json
from atelier_mcp.server.cli.doctor.disk import check_clock, check_disk, check_ledger_opens, check_token_file
from atelier_mcp.server.cli.doctor.engine import check_engine, check_extras
from atelier_mcp.server.cli.doctor.finding import Finding, print_findings
from atelier_mcp.server.cli.doctor.hosts import check_hosts
from atelier_mcp.server.cli.doctor.network import check_certificates, check_issuer, check_proxies
from atelier_mcp.server.cli.doctor.settings import check_idle_settings, describe_services, read_settings
from atelier_mcp.server.cli.doctor.store import check_store
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.providers import selection
from atelier_mcp.server.tool_plan import plan_tools

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.settings import Settings

NEEDS_SETTINGS = False
"""It reads them itself, and goes on where one is wrong."""


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; exit 1 when one of them is bad."""
    findings = asyncio.run(find_all())
    if arguments.json:
        print_json([{key: value for key, value in asdict(f).items() if key != "remedy" or value} for f in findings])
    else:
        print_findings(findings)
    # None is neither: something that is not set up and need not be.
    return 1 if any(finding.good is False for finding in findings) else 0


async def find_all() -> list[Finding]:
    """Everything that is looked at, in the order in which one thing needs another."""
    usable = read_settings()
    findings = [_describe_version(), *usable.findings]
    if usable.settings is not None:
        logs.configure_logging(usable.settings.log_level)
        findings += await _check_with_settings(usable.settings, is_complete=usable.is_complete)
    return [*findings, *check_hosts()]


def _describe_version() -> Finding:
    words = f"{__version__}, Python {platform.python_version()} at {sys.executable}"
    return Finding("atelier", good=True, words=words)


async def _check_with_settings(settings: Settings, *, is_complete: bool) -> list[Finding]:
    configured = selection.find_configured_providers(settings)
    is_stand_in = not configured and is_complete
    disk, ledger = check_disk(settings), check_ledger_opens(settings)
    engine = await check_engine(is_needed=is_stand_in)
    shared = [*check_clock(settings, clock=SystemClock()), *check_token_file(settings)]
    has_bucket = bool(settings.bucket_url or settings.store_url)
    store = await check_store(settings)
    findings = [*disk, *store, ledger, *shared, engine, *check_extras(has_bucket=has_bucket)]
    findings += [*check_idle_settings(settings), *describe_services(settings)]
    if is_stand_in:
        words = "none configured: the built-in emulator stands in for all"
        findings.append(Finding("services", good=True, words=words))
    # The route before the accounts: when it is broken, every account fails, and these lines say why.
    findings += [*check_certificates(), *await check_proxies(), *await check_issuer(settings)]
    # Neither without its ground, which is told above: each account would only repeat it.
    if all(f.good is not False for f in (*disk, *store, ledger)) and (configured or (is_stand_in and engine.good)):
        from atelier_mcp.server.cli.doctor.accounts import check_services

        findings += await check_services(settings)
    # With a part of the settings left out, these are not the tools that would be listed.
    return [*findings, *(check_tools(settings) if is_complete else [])]


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
