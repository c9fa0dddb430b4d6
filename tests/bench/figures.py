"""A measured figure and how it is reported."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


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


def read_memory_mb(pid: int) -> float:
    """Memory that a process has; where the system does not say, the most that this one ever had."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
