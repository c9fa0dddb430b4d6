"""``atelier prune``: what is old is told, and with ``--yes`` deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.cli._client import print_json
from atelier_mcp.server.cli.byte_sizes import format_bytes
from atelier_mcp.server.cli.usage import UsageError
from atelier_mcp.server.jobs.ledger_check import check_ledger
from atelier_mcp.server.libraries import create_image_store
from atelier_mcp.server.local_folders import get_database_url
from atelier_mcp.server.retention import EVERYTHING, RetentionRules, carry_out, parse_age, parse_size, plan_prune

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.retention import PrunePlan
    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say what goes, and delete it where that was confirmed."""
    url = get_database_url(settings)
    check_ledger(url)
    store = create_image_store(settings)
    plan = plan_prune(store, settings.home, url, _read_rules(arguments, settings))
    if arguments.yes:
        carry_out(plan, store, settings.home, url)
    if arguments.json:
        print_json({**_to_document(plan), "deleted": arguments.yes})
    else:
        _print_plan(plan, is_done=arguments.yes)
    return 0


def _read_rules(arguments: argparse.Namespace, settings: Settings) -> RetentionRules:
    try:
        age = parse_age(arguments.older_than) if arguments.older_than else None
        max_bytes = parse_size(arguments.max_size) if arguments.max_size else None
    except ValueError as err:
        raise UsageError(f"atelier prune: {err}.") from err
    if age is None and max_bytes is None:
        if settings.keep_days is None:
            raise UsageError("Say what is old: --older-than 30d, --max-size 5GB, or set ATELIER_KEEP_DAYS.")
        age = timedelta(days=settings.keep_days)
    return RetentionRules(age, max_bytes, frozenset(arguments.only or EVERYTHING))


def _to_document(plan: PrunePlan) -> dict[str, Any]:
    return {
        "pictures": len(plan.images),
        "picture_bytes": plan.image_bytes,
        "jobs": plan.jobs,
        "emulator_files": plan.emulator_files,
        "emulator_bytes": plan.emulator_bytes,
    }


def _print_plan(plan: PrunePlan, *, is_done: bool) -> None:
    if plan.is_empty:
        print("There is nothing to delete.")
        return
    print("Deleted:" if is_done else "Would be deleted:")
    for count, what, size in (
        (len(plan.images), "picture", plan.image_bytes),
        (plan.jobs, "finished job", 0),
        (plan.emulator_files, "file", plan.emulator_bytes),
    ):
        if count:
            owner = " of the built-in emulator" if what == "file" else ""
            print(f"  {count} {what}{'s' * (count != 1)}{owner}{f', {format_bytes(size)}' if size else ''}")
    if not is_done:
        print("Nothing is deleted yet: the same command with --yes does.")
