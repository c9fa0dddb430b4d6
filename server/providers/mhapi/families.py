"""Families of MHAPI's checkpoints: guessed from names, and what the vendor recommends for each.

Nothing in a listing names the family (contract: imgenstd.models.families), so that all of this is a hint: a guess never
refuses what the caller asked for by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT = "text"
IMAGE = "image"
CONTROL = "control"
LORA = "lora"


@dataclass(frozen=True, slots=True)
class CheckpointFamily:
    """Checkpoints of one generation (contract: enums.model_families)."""

    name: str
    steps: int | None
    guidance: float | None
    supports: frozenset[str] | None
    """What its checkpoints are said to do; None where the vendor says nothing."""


FAMILIES: dict[str, CheckpointFamily] = {
    family.name: family
    for family in (
        CheckpointFamily("v1.0", 50, 8.0, frozenset({TEXT})),
        # Named in one row only, without figures (contract: imgenstd.imgen.families).
        CheckpointFamily("v0.6.0", None, None, None),
        CheckpointFamily("v0.5.0-turbo", 6, 1.5, None),
        CheckpointFamily("v0.5.0", 50, 6.0, frozenset({TEXT, IMAGE})),
        CheckpointFamily("v0.4.0-turbo", 5, 1.2, frozenset({TEXT, CONTROL})),
        CheckpointFamily("v0.4.0", 50, 7.0, frozenset({TEXT, IMAGE, CONTROL, LORA})),
    )
}
TEXT_PREFERENCE = ("v0.5.0", "v1.0", "v0.4.0", "v0.6.0", "v0.5.0-turbo", "v0.4.0-turbo")
"""For text alone; anything more is left to the one family that can do everything, where it is listed."""
VERSATILE_PREFERENCE = ("v0.4.0", "v0.5.0", "v0.4.0-turbo")
# The vendor calls the distilled ones "fastest" in Chinese, in both scripts.
_TURBO = re.compile(r"turbo|极速|極速|\bfast\b")
_VERSIONS = (
    # Written 0.4.0, 040, v0_4_0 and so on; the guards keep 10.4.0 and 0.4.01 out.
    ("v0.4.0", re.compile(r"(?<![\d.])0[._-]?4[._-]?0(?!\d)")),
    ("v0.5.0", re.compile(r"(?<![\d.])0[._-]?5[._-]?0(?!\d)")),
    ("v0.6.0", re.compile(r"(?<![\d.])0[._-]?6[._-]?0(?!\d)")),
    ("v1.0", re.compile(r"(?:v|artist[ _-]?v?)1[._-]0(?!\d)")),
)


def guess_family(*names: str) -> CheckpointFamily | None:
    """The family that a checkpoint's id, name or base type tells, the first that tells one; else None."""
    is_turbo = any(_TURBO.search(name.lower()) for name in names)
    for name in names:
        for version, pattern in _VERSIONS:
            if pattern.search(name.lower()):
                return FAMILIES.get(f"{version}-turbo" if is_turbo else version)
    return None


def can_do(family: CheckpointFamily | None, needs: Iterable[str]) -> bool | None:
    """Whether a family is said to do all of ``needs``; None where nothing is said."""
    if family is None or family.supports is None:
        return None
    return family.supports.issuperset(needs)
