"""The page docs/faults.md, made from the table of faults: ``python -m tests.faults.page`` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.faults.kinds import FAULT_SENTENCES, OUTCOME_SENTENCES, Fault, Outcome, Step
from tests.faults.services import SERVICES, FaultedService
from tests.faults.table import find_outcome

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"
_HEAD: Final = """\
# When a service fails

What the program does when a request of a job meets a fault, and what that means for the money. This page is made from \
the table that `tests/faults` runs: {count} combinations of service, step and fault, each in a tool call over MCP, \
with real sockets between the server and the emulator (`.venv/bin/python -m pytest tests/faults -rP` prints them).

Two rules are behind it. A submit is repeated only where the service certainly did not take it, since services take no \
idempotency key ([decision](decisions/submit-once.md)). And a failed read says nothing of the job, which is paid for.
"""


def build_page() -> str:
    """The page as Markdown."""
    parts = [_HEAD.format(count=count_combinations()), _build_steps(), _build_faults(), _build_outcomes()]
    return "\n".join(parts)


def count_combinations() -> int:
    """How many combinations of service, step and fault there are."""
    return len(Fault) * sum(bool(service.get_pattern(step)) for service in SERVICES for step in Step)


def _build_steps() -> str:
    parts: list[str] = []
    for step in Step:
        columns = _group_services(step)
        parts += [
            f"## {step.title()}\n",
            _format_row(["", *(", ".join(titles) for titles in columns.values())]),
            _format_row(["---"] * (len(columns) + 1)),
            *_build_rows(list(columns)),
            "",
        ]
        if without := [service.title for service in SERVICES if not service.get_pattern(step)]:
            parts.append(f"Not at {', '.join(without)}: the answer to the submit holds what comes of it.\n")
    return "\n".join(parts)


def _build_rows(columns: list[tuple[Outcome, ...]]) -> list[str]:
    """A row for each fault; one for all where none makes a difference."""
    if all(len(set(outcomes)) == 1 for outcomes in columns):
        return [_format_row([f"any of the {len(Fault)} faults", *(outcomes[0] for outcomes in columns)])]
    return [_format_row([fault, *(outcomes[index] for outcomes in columns)]) for index, fault in enumerate(Fault)]


def _group_services(step: Step) -> dict[tuple[Outcome, ...], list[str]]:
    """The services by what they do, those that do the same in one column."""
    columns: dict[tuple[Outcome, ...], list[str]] = {}
    for service in SERVICES:
        if service.get_pattern(step):
            columns.setdefault(_list_outcomes(service, step), []).append(service.title)
    return columns


def _list_outcomes(service: FaultedService, step: Step) -> tuple[Outcome, ...]:
    return tuple(find_outcome(service, step, fault) for fault in Fault)


def _build_faults() -> str:
    rows = [_format_row([fault, sentence]) for fault, sentence in FAULT_SENTENCES.items()]
    return "\n".join(["## The faults\n", _format_row(["fault", "on the wire"]), _format_row(["---", "---"]), *rows, ""])


def _build_outcomes() -> str:
    rows = [_format_row([f"**{outcome}**", sentence]) for outcome, sentence in OUTCOME_SENTENCES.items()]
    head = [_format_row(["outcome", "what happens"]), _format_row(["---", "---"])]
    return "\n".join(["## What comes of it\n", *head, *rows, ""])


def _format_row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(build_page(), "utf-8")
