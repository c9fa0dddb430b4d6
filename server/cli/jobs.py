"""``atelier jobs``: what has been asked, newest first, as a table for people or JSON for programs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.cli import _client
from atelier_mcp.server.tool_result import get_facts

if TYPE_CHECKING:
    import argparse

    from mcp import Client
    from rich.console import Console
    from rich.table import Table

    from atelier_mcp.server.settings import Settings

UNFINISHED: Final = frozenset({"submitting", "queued", "running", "saving"})
FOLLOW_WAIT_S: Final = 2
MAX_PROMPT_CHARS: Final = 48
UNBOUND_WIDTH: Final = 2000
"""For output that is piped: nothing is folded there, so that each job stays one line."""
_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))
_STYLES: Final = {"succeeded": "green", "failed": "red", "unconfirmed": "yellow", "cancelled": "dim"}
_WORDS: Final = ("prompt", "subject", "name")
"""Arguments that tell a person which job it was, the most telling first."""


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the jobs; with ``--follow`` until none of them is unfinished."""
    return asyncio.run(_run(arguments, settings))


async def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    async with _client.open_client(_client.with_library(settings)) as client:
        if arguments.follow:
            return await _follow(client, arguments)
        facts = await _list_jobs(client, arguments)
    if arguments.json:
        _client.print_json(facts)
    else:
        _print_table(facts, arguments)
    return 0


async def _list_jobs(client: Client, arguments: argparse.Namespace) -> dict[str, Any]:
    query: dict[str, Any] = {"limit": arguments.limit, "offset": arguments.offset}
    if arguments.state:
        query["states"] = arguments.state
    return get_facts(await _client.call_tool(client, "list_jobs", query))


async def _follow(client: Client, arguments: argparse.Namespace) -> int:
    """The table, drawn anew as jobs move on; JSON or piped, a line for each job whenever its state has changed."""
    from rich.live import Live

    console = _create_console()
    facts = await _list_jobs(client, arguments)
    if arguments.json or not console.is_terminal:
        return await _follow_by_lines(client, arguments, facts)
    with Live(_build_table(facts), console=console, auto_refresh=False) as live:
        while unfinished := _list_unfinished(facts):
            await _wait_for_any(client, unfinished)
            facts = _join_ended(await _list_jobs(client, arguments), facts)
            live.update(_build_table(facts), refresh=True)
    return 0


async def _follow_by_lines(client: Client, arguments: argparse.Namespace, facts: dict[str, Any]) -> int:
    import json

    states: dict[str, str] = {}
    while True:
        for job in reversed(facts.get("jobs", [])):
            if states.get(job["job_id"]) != job["state"]:
                states[job["job_id"]] = job["state"]
                print(json.dumps(job) if arguments.json else "  ".join(_list_cells(job, _now())), flush=True)
        unfinished = _list_unfinished(facts)
        if not unfinished:
            return 0
        await _wait_for_any(client, unfinished)
        facts = _join_ended(await _list_jobs(client, arguments), await _find_jobs(client, unfinished))


def _join_ended(listed: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """What is listed now, and of what was, that which a filter by state no longer lists."""
    ids = {job["job_id"] for job in listed.get("jobs", [])}
    return {
        **listed,
        "jobs": [*listed.get("jobs", []), *(j for j in earlier.get("jobs", []) if j["job_id"] not in ids)],
    }


async def _find_jobs(client: Client, ids: list[str]) -> dict[str, Any]:
    return get_facts(await _client.call_tool(client, "wait_for_jobs", {"job_ids": ids, "wait_s": 0}))


async def _wait_for_any(client: Client, ids: list[str]) -> None:
    """Until one of them has ended, or a moment: a job may move on without ending."""
    arguments = {"job_ids": ids, "until": "any", "wait_s": FOLLOW_WAIT_S}
    await _client.call_tool(client, "wait_for_jobs", arguments)


def _list_unfinished(facts: dict[str, Any]) -> list[str]:
    return [job["job_id"] for job in facts.get("jobs", []) if job["state"] in UNFINISHED]


def _create_console() -> Console:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=UNBOUND_WIDTH)


def _print_table(facts: dict[str, Any], arguments: argparse.Namespace) -> None:
    console = _create_console()
    if not facts.get("jobs"):
        console.print("There are no such jobs.")
        return
    if console.is_terminal:
        console.print(_build_table(facts))
    else:
        with console.capture() as capture:
            console.print(_build_table(facts))
        print("\n".join(line.rstrip() for line in capture.get().splitlines()))
    if facts.get("more"):
        console.print(f"There are more: --offset {arguments.offset + arguments.limit}")


def _build_table(facts: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in ("job", "when", "state", "tool"):
        table.add_column(name, no_wrap=True)
    table.add_column("prompt")
    # Folded and not cut: a path that is cut is of no use.
    table.add_column("files", overflow="fold")
    for job in facts.get("jobs", []):
        job_id, when, state, tool, prompt, files = _list_cells(job, _now())
        table.add_row(job_id, when, Text(state, style=_STYLES.get(job["state"], "")), tool, Text(prompt), Text(files))
    return table


def _list_cells(job: dict[str, Any], now: datetime) -> tuple[str, str, str, str, str, str]:
    request: dict[str, Any] = job.get("request") or {}
    prompt = next((str(request[name]) for name in _WORDS if request.get(name)), "")
    if len(prompt) > MAX_PROMPT_CHARS:
        prompt = f"{prompt[: MAX_PROMPT_CHARS - 3]}..."
    files = " ".join(image["path"] for image in job.get("images", []))
    when = format_age(job.get("created_at", ""), now)
    return job["job_id"], when, job["state"], job.get("tool", ""), " ".join(prompt.split()), files


def _now() -> datetime:
    return datetime.now(UTC)


def format_age(moment: str, now: datetime) -> str:
    """How long ago a moment was that ``list_jobs`` tells: ``3 min ago``; older than a month, its day."""
    try:
        then = datetime.fromisoformat(moment.removesuffix(" UTC")).replace(tzinfo=UTC)
    except ValueError:
        return moment
    seconds = max(0, int((now - then).total_seconds()))
    if seconds >= 31 * 86_400:
        return f"{then:%Y-%m-%d}"
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{seconds // size} {unit} ago"
