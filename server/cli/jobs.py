"""``atelier jobs``: what has been asked, newest first, as lines for people or JSON for programs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.live import Live

from atelier_mcp.server.cli import _client
from atelier_mcp.server.cli.job_lines import format_for_terminal, format_piped, format_row, read_rows
from atelier_mcp.server.tool_result import get_facts

if TYPE_CHECKING:
    import argparse

    from mcp import Client

    from atelier_mcp.server.settings import Settings

UNFINISHED: Final = frozenset({"submitting", "queued", "running", "saving"})
FOLLOW_WAIT_S: Final = 2


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
        _print_lines(facts, arguments)
    return 0


async def _list_jobs(client: Client, arguments: argparse.Namespace) -> dict[str, Any]:
    query: dict[str, Any] = {"limit": arguments.limit, "offset": arguments.offset}
    if arguments.state:
        query["states"] = arguments.state
    return get_facts(await _client.call_tool(client, "list_jobs", query))


async def _follow(client: Client, arguments: argparse.Namespace) -> int:
    """The table, drawn anew as jobs move on; JSON or piped, a line for each job whenever its state has changed."""
    console = Console()
    facts = await _list_jobs(client, arguments)
    if arguments.json or not console.is_terminal:
        return await _follow_by_lines(client, arguments, facts)
    with Live(_build_lines(facts, console), console=console, auto_refresh=False) as live:
        while unfinished := _list_unfinished(facts):
            await _wait_for_any(client, unfinished)
            facts = _join_ended(await _list_jobs(client, arguments), facts)
            live.update(_build_lines(facts, console), refresh=True)
    return 0


def _build_lines(facts: dict[str, Any], console: Console) -> Group:
    return Group(*format_for_terminal(read_rows(facts.get("jobs", [])), console.width))


async def _follow_by_lines(client: Client, arguments: argparse.Namespace, facts: dict[str, Any]) -> int:
    states: dict[str, str] = {}
    while True:
        for job in reversed(facts.get("jobs", [])):
            if states.get(job["job_id"]) != job["state"]:
                states[job["job_id"]] = job["state"]
                print(json.dumps(job) if arguments.json else format_row(read_rows([job])[0]), flush=True)
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


def _print_lines(facts: dict[str, Any], arguments: argparse.Namespace) -> None:
    rows = read_rows(facts.get("jobs", []))
    if not rows:
        print("There are no such jobs.")
        return
    console = Console()
    if console.is_terminal:
        # Broken by the terminal alone, so that a path can be copied whole.
        for line in format_for_terminal(rows, console.width):
            console.print(line, soft_wrap=True)
    else:
        print("\n".join(format_piped(rows)))
    if facts.get("more"):
        print(f"There are more: --offset {arguments.offset + arguments.limit}")
