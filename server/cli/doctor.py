"""``atelier doctor``: what is configured, what each account can do, what is missing. Shows no secret."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from atelier_mcp.server import registry
from atelier_mcp.server.app import open_rooms
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.clock import SystemClock
from atelier_mcp.server.providers import catalogue

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.providers.base import Provider
    from atelier_mcp.server.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; neither good nor bad where it is not there and need not be."""

    what: str
    good: bool | None
    words: str


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the findings; exit 1 when one of them is bad."""
    findings = [
        *_settings(settings),
        *_extras(),
        *_services(settings),
        *asyncio.run(_accounts(settings)),
        *_tools(settings),
    ]
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    return 1 if any(finding.good is False for finding in findings) else 0


_MARKS = {True: "[green]ok[/]", False: "[red]no[/]", None: "--"}


def _show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(_MARKS[finding.good], finding.what, finding.words)
    Console().print(table)


def _settings(settings: Settings) -> list[Finding]:
    return [Finding("data folder", good=True, words=str(settings.home))]


def _extras() -> list[Finding]:
    engine = find_spec("cv2") is not None and find_spec("numpy") is not None
    heif = find_spec("pillow_heif") is not None
    return [
        Finding("built-in engine", engine or None, "installed" if engine else 'not installed: "atelier-mcp[engine]"'),
        Finding("HEIF pictures", heif or None, "can be read" if heif else 'cannot be read: "atelier-mcp[heif]"'),
    ]


def _services(settings: Settings) -> list[Finding]:
    ready = catalogue.configured(settings)
    findings = [
        Finding(u.title, u in ready or None, "configured" if u in ready else f"not configured: set {u.variables()}")
        for u in catalogue.UPSTREAMS
    ]
    if settings.sensenova_api_key and not (settings.sensenova_miaohua_token or settings.miaohua_email):
        words = "cannot be paid for: set SENSENOVA_MIAOHUA_TOKEN, or MIAOHUA_EMAIL and MIAOHUA_PASSWORD"
        findings.append(Finding("SenseNova's pictures", good=False, words=words))
    if not ready:
        findings.append(
            Finding("services", good=True, words="none configured: the built-in emulator stands in for all")
        )
    return findings


async def _accounts(settings: Settings) -> list[Finding]:
    """Ask each account for its models: a read that costs nothing and shows that the credentials are accepted."""
    try:
        async with open_rooms(settings, clock=SystemClock(), transport="stdio") as rooms:
            return [await _account(provider) for provider in rooms.router.providers]
    except AtelierError as err:
        return [Finding("studio", good=False, words=str(err).replace("\n", " "))]


async def _account(provider: Provider) -> Finding:
    can = ", ".join(sorted(provider.capabilities))
    if not provider.model_kinds:
        words = f"not asked, for it lists nothing and every answer costs; serves {can}"
        return Finding(f"account {provider.account}", good=True, words=words)
    try:
        page = await provider.list_models(provider.model_kinds[0], base=None, offset=0, limit=100)
    except AtelierError as err:
        return Finding(f"account {provider.account}", good=False, words=str(err).replace("\n", " "))
    counted = f"{len(page.models)}{'+' if page.more else ''} {provider.model_kinds[0]}s"
    return Finding(f"account {provider.account}", good=True, words=f"answers, {counted}; serves {can}")


def _tools(settings: Settings) -> list[Finding]:
    serving = catalogue.serving(catalogue.usable(settings))
    listed = registry.select(registry.discover(toolsets=settings.toolsets), toolsets=settings.toolsets, serving=serving)
    return [Finding("tools", good=bool(listed), words=", ".join(definition.name for definition in listed))]
