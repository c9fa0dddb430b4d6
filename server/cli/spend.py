"""``atelier spend``: pictures and money by day, caller and service, as the ledger has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from atelier_mcp.server.cli._client import print_json
from atelier_mcp.server.jobs.budget_day import to_utc_day
from atelier_mcp.server.jobs.ledger_check import check_ledger
from atelier_mcp.server.jobs.spending import amounts_to_document, sum_up
from atelier_mcp.server.local_folders import get_database_url
from atelier_mcp.server.providers.money import format_amounts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from atelier_mcp.server.jobs.spending import CallerSpending
    from atelier_mcp.server.settings import Settings


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print what was spent in the last days, today included."""
    since_day = to_utc_day(datetime.now(UTC) - timedelta(days=arguments.days - 1))
    rows = _read_rows(get_database_url(settings), since_day, arguments.principal)
    if arguments.json:
        total = sum_up(rows)
        document = {
            "since": since_day,
            "unit": "pictures",
            "days": [row.to_document() for row in rows],
            "cost": amounts_to_document(total.cost),
            "estimated": amounts_to_document(total.estimated),
            "unpriced_jobs": total.unpriced_jobs,
        }
        print_json(document)
    else:
        _print_rows(rows)
    return 0


def _read_rows(url: str, since_day: str, caller: str | None) -> Sequence[CallerSpending]:
    """Raises ``ConfigurationError`` where the ledger cannot be read; one that is not there is not made."""
    file = check_ledger(url)
    if file is not None and not file.exists():
        return []
    from atelier_mcp.server.jobs.database import open_database

    database = open_database(url)
    try:
        return database.read(lambda records: records.list_spending_by_caller(since_day, caller=caller))
    finally:
        database.close()


def _print_rows(rows: Sequence[CallerSpending]) -> None:
    if not rows:
        print("Nothing was spent.")
        return
    cells = [
        (row.day, row.caller or "(not written down)", row.account, str(row.image_count), _format_money(row))
        for row in rows
    ]
    total = sum_up(rows)
    cells.append(("in all", "", "", str(total.image_count), _format_money(total)))
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    for day, caller, account, count, money in cells:
        line = f"{day:<{widths[0]}}  {caller:<{widths[1]}}  {account:<{widths[2]}}  {count:>{widths[3]}}  {money}"
        print(line.rstrip())


def _format_money(row: CallerSpending) -> str:
    """What is known of it; an estimate is said to be one, and what nobody knows is counted."""
    about = "about " if row.estimated else ""
    known = f"{about}{format_amounts(row.cost)}" if row.cost else ""
    jobs = f"{row.unpriced_jobs} job{'s' * (row.unpriced_jobs != 1)} of unknown price" if row.unpriced_jobs else ""
    return " and ".join(part for part in (known, jobs) if part)
