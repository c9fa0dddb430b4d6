"""The protocol's own programs against the server over HTTP: its conformance suite, and the Inspector's command line.

The suite's scenarios are written for a server made for them, with tools, prompts and resources of set names; those
that need one stand in ``baselines`` with the reason, a file for each era of the protocol. The suite fails also for an
entry that no longer holds.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.interop.environments import prepare_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NODE: Final = "node@22"
CONFORMANCE: Final = "conformance"
INSPECTOR: Final = "inspector"
PACKAGES: Final = {
    CONFORMANCE: (NODE, "@modelcontextprotocol/conformance@0.2.0-alpha.12"),
    INSPECTOR: (NODE, "@modelcontextprotocol/inspector@2.12.0"),
}
BASELINES: Final = Path(__file__).parent / "baselines"
ERAS: Final = ("2025-11-25", "2026-07-28")
"""The last revision with a handshake, and the first without."""
TIMEOUT_S: Final = 300.0
STUDIO_TOOLS: Final = frozenset({"ask_for_mask", "generate_image", "erase_object", "upscale_image", "transform_image"})
"""Some of those whose answers are shown in the studio."""
PLAIN_TOOLS: Final = frozenset({"list_jobs", "cancel_jobs", "list_models"})


async def try_official(name: str, url: str) -> list[tuple[str, str]]:
    """What was tried and what failed, which is empty where nothing did. Raises ``InstallError``."""
    programs = await asyncio.to_thread(prepare_node, name, PACKAGES[name])
    tries = _try_conformance(programs, url) if name == CONFORMANCE else _try_inspector(programs, url)
    return await asyncio.to_thread(list, tries)


def _try_conformance(programs: Path, url: str) -> Iterator[tuple[str, str]]:
    for era in ERAS:
        baseline = BASELINES / f"conformance-{era}.yml"
        options = ["--spec-version", era, "--suite", "all", "--expected-failures", str(baseline)]
        done = _run(programs, "conformance", "server", "--url", url, *options)
        unexpected = [line.strip() for line in _list_last_lines(done.stdout) if line.strip()]
        yield era, "; ".join(unexpected) if done.returncode else ""


def _list_last_lines(text: str) -> list[str]:
    """What the suite says after its summary: failures that are not expected, and entries that no longer hold."""
    return text.partition("\nTotal:")[2].splitlines()[1:]


def _try_inspector(programs: Path, url: str) -> Iterator[tuple[str, str]]:
    done = _inspect(programs, url, "--method", "tools/list", "--strict")
    yield "strict", done.stderr.strip() if done.returncode else ""
    done = _inspect(programs, url, "--method", "tools/list", "--app-info", "--advertise-apps")
    yield "app-info", done.stderr.strip() if done.returncode else _find_app_fault(done.stdout)
    for method in ("resources/list", "resources/templates/list", "prompts/list"):
        done = _inspect(programs, url, "--method", method)
        yield method, done.stderr.strip() if done.returncode else ""


def _find_app_fault(text: str) -> str:
    """What is wrong with the tools' pages, as the Inspector tells of them: a line of JSON a tool."""
    apps: dict[str, dict[str, Any]] = {app["toolName"]: app for app in map(json.loads, text.splitlines())}
    with_page = {name for name, app in apps.items() if app["hasApp"]}
    if missing := STUDIO_TOOLS - with_page:
        return f"no page: {', '.join(sorted(missing))}"
    if mounted := PLAIN_TOOLS & with_page:
        return f"a page for no picture: {', '.join(sorted(mounted))}"
    kinds = {apps[name]["resourceMimeType"] for name in with_page}
    return "" if kinds == {"text/html;profile=mcp-app"} else f"pages of {kinds}"


def _inspect(programs: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _run(programs, "mcp-inspector", "--cli", url, *arguments)


def _run(programs: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = (str(programs / "node"), str(programs / program), *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # our own commands
