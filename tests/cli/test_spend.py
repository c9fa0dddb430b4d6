"""``atelier spend``: what was spent by day, caller and service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Atelier


def test_spending_is_told_by_day_caller_and_service(atelier: Atelier) -> None:
    """A ledger that is not there is not made by a question."""
    assert atelier("spend").out == "Nothing was spent.\n"
    atelier("call", "generate_image", "prompt=a red kite", "samples=2", "width=640", "height=640")
    today = datetime.now(UTC).date().isoformat()
    (row,) = atelier("spend", "--days", "1", "--json").read_json()["days"]
    assert (row["day"], row["principal"], row["provider"], row["pictures"]) == (today, "local", "mhapi", 2)
    lines = atelier("spend").out.splitlines()
    assert lines[0].split() == [today, "local", row["account"], "2"]
    assert lines[1].split() == ["in", "all", "2"]
    assert atelier("spend", "--principal", "static:alice").out == "Nothing was spent.\n"


def test_a_number_of_days_is_a_number(atelier: Atelier) -> None:
    outcome = atelier("spend", "--days", "all")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
