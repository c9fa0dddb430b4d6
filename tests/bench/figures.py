"""A measured figure and how it is reported."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One number; ``at_most`` is the target, where there is one."""

    what: str
    value: float
    unit: str
    at_most: float | None = None

    @property
    def is_met(self) -> bool:
        """True when the target is met, or there is none."""
        return self.at_most is None or self.value <= self.at_most

    def format_row(self) -> str:
        """The figure, its target and the verdict, for a table in a terminal."""
        target = "" if self.at_most is None else f"at most {_format_number(self.at_most)}"
        verdict = "" if self.at_most is None else ("ok" if self.is_met else "MISSED")
        return f"{self.what:<66} {_format_number(self.value):>9} {self.unit:<9} {target:<15} {verdict}".rstrip()


def report(*figures: Figure) -> None:
    """Hand figures from a measuring process to the one that started it."""
    for figure in figures:
        sys.stdout.write(json.dumps(asdict(figure)) + "\n")


def compute_percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
