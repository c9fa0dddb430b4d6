"""What the engine can be asked to do and what it returns, as plain data that crosses a process boundary.

Nothing heavy is imported here: the server writes tasks without loading NumPy or OpenCV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FileFormat = Literal["JPG", "PNG"]
Watermark = Literal["Default", "MakaLogo"]


@dataclass(frozen=True, slots=True)
class EngineControl:
    """One guide picture, encoded, and how it is read; ``start`` and ``end`` are shares of the run."""

    kind: str
    picture: bytes
    weight: float = 1.0
    pre_processor: str | None = None
    start: float = 0.0
    end: float = 1.0
    low: int = 100
    high: int = 200
    down_sample: float = 1.0


@dataclass(frozen=True, slots=True)
class GenerateTask:
    """Pictures from a prompt; picture n uses ``seed + n``."""

    prompt: str
    seed: int
    width: int
    height: int
    negative_prompt: str = ""
    steps: int = 30
    guidance: float = 7.0
    source: bytes | None = None
    strength: float = 0.6
    controls: tuple[EngineControl, ...] = ()
    profiles: tuple[tuple[bytes, float], ...] = ()
    """Style profiles and their weights."""
    watermark: Watermark | None = None
    file_format: FileFormat = "JPG"
    samples: int = 1


@dataclass(frozen=True, slots=True)
class EngineResult:
    """Encoded pictures with their seeds, a small JPEG of each (256 px on the long side), remarks for the reader."""

    images: tuple[tuple[bytes, int], ...]
    thumbnails: tuple[bytes, ...]
    notes: tuple[str, ...] = ()
    unmarked_images: tuple[bytes, ...] = ()
    """Each picture as a PNG without its mark, for further work on it; empty where nothing is marked."""
