"""What the engine can be asked to do and what it returns, as plain data that crosses a process boundary.

Images are encoded bytes here, never arrays: an array could only be unpickled with NumPy loaded, and the server writes
tasks and reads results without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FileFormat = Literal["JPG", "PNG"]
"""The encodings results come in, by the names the services use."""
Watermark = Literal["Default", "MakaLogo"]
"""The visible marks there are: the words "AI generated", or a drawn sign."""


@dataclass(frozen=True, slots=True)
class EngineControl:
    """One guide image and how it is read.

    ``kind`` and ``pre_processor`` are names of ``engine.control.PRE_PROCESSORS``; without a pre-processor the kind's
    default reads the map. ``weight`` is 0 or more, ``start`` and ``end`` are shares of the run in [0, 1], ``low`` and
    ``high`` are Canny's thresholds in [1, 255], ``down_sample`` in [1, 8] is the rate of ``tile_resample``.
    """

    kind: str
    image: bytes
    weight: float = 1.0
    pre_processor: str | None = None
    start: float = 0.0
    end: float = 1.0
    low: int = 100
    high: int = 200
    down_sample: float = 1.0


@dataclass(frozen=True, slots=True)
class GenerateTask:
    """Images from a prompt; image n uses ``seed + n``.

    ``width`` and ``height`` are in pixels. With a ``source`` (encoded) the prompt repaints it, by a ``strength`` in
    [0, 1]. ``steps`` is taken because the services have it; nothing here depends on it.
    """

    prompt: str
    seed: int
    width: int
    height: int
    negative_prompt: str = ""
    composition: str = ""
    """The prompt whose composition is kept, where this one changes an earlier one: its words seed the painting."""
    steps: int = 30
    guidance: float = 7.0
    source: bytes | None = None
    strength: float = 0.6
    controls: tuple[EngineControl, ...] = ()
    profiles: tuple[tuple[bytes, float], ...] = ()
    """Style profiles, as ``style_profile.learn`` returns them, and their weights in [0, 2]."""
    watermark: Watermark | None = None
    file_format: FileFormat = "JPG"
    samples: int = 1


@dataclass(frozen=True, slots=True)
class EngineResult:
    """Encoded images with their seeds, a small JPEG of each (256 px on the long side), remarks for the reader."""

    images: tuple[tuple[bytes, int], ...]
    thumbnails: tuple[bytes, ...]
    notes: tuple[str, ...] = ()
    unmarked_images: tuple[bytes, ...] = ()
    """Each image as a PNG without its watermark, for further work on it; empty where nothing is marked."""
