"""What checkpoints of a family are drawn with: nobody but their file's name says which family they are of."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class DiffusionFamily:
    """How a checkpoint likes to draw."""

    name: str
    side_px: int
    """The side of the square that it was trained on, in pixels: other shapes get as many pixels."""
    steps: int = 25
    guidance: float = 7.0
    scheduler: str = "normal"


_FAST: Final = re.compile(r"turbo|lightning|schnell|hyper|lcm")
_FAMILIES: Final = (
    (re.compile(r"flux"), DiffusionFamily("Flux", 1024, 20, 1.0, "simple")),
    (re.compile(r"sd[-_ ]?3|stable[-_ ]?diffusion[-_ ]?3"), DiffusionFamily("SD 3", 1024, 28, 4.5, "sgm_uniform")),
    (re.compile(r"xl|pony|illustrious|noob"), DiffusionFamily("SDXL", 1024)),
    (re.compile(r"v2[-_.]1|sd[-_ ]?2|768"), DiffusionFamily("SD 2", 768)),
    (re.compile(r"v1[-_.][1-5]|sd[-_ ]?1|sd15|1[-_.]5|512"), DiffusionFamily("SD 1.5", 512)),
)
_UNKNOWN: Final = DiffusionFamily("unknown", 1024)
_FAST_STEPS: Final = 6
_FAST_GUIDANCE: Final = 1.5


def find_family(checkpoint: str) -> DiffusionFamily:
    """The family that a checkpoint's file name tells, with fewer steps for a distilled one."""
    name = checkpoint.lower()
    family = next((family for pattern, family in _FAMILIES if pattern.search(name)), _UNKNOWN)
    if _FAST.search(name):
        return replace(family, steps=_FAST_STEPS, guidance=min(family.guidance, _FAST_GUIDANCE))
    return family
