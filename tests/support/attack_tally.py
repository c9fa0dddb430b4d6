"""How many attempts an attack made, and which of them got through."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class AttackTally:
    """The count of one attack."""

    attempts: int = 0
    breaches: list[str] = field(default_factory=list[str])
    """Each attempt that got through, in words."""
    figures: dict[str, str] = field(default_factory=dict[str, str])
    """What else was measured, such as the longest answer."""

    def record(self, name: str, *, got_through: bool) -> None:
        """Count one attempt."""
        self.attempts += 1
        if got_through:
            self.breaches.append(name)

    def __str__(self) -> str:
        figures = "".join(f", {name} {value}" for name, value in self.figures.items())
        return f"{self.attempts} attempts, {len(self.breaches)} got through{figures}"
