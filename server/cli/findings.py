"""What ``atelier doctor`` finds, one thing a line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; neither good nor bad where it is not there and need not be."""

    what: str
    good: bool | None
    words: str
