"""What passes along the links of a workflow. Pictures are PNG bytes; a mask is grey, white where it marks."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelValue:
    """A checkpoint with the styles merged into it, by the engine's names, and their weights."""

    checkpoint: str
    styles: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class GuideValue:
    """A picture that guides the drawing, for a net of a kind."""

    kind: str
    image: bytes
    weight: float
    start: float
    end: float
    pre_processor: str | None = "pass"
    """None is the engine's own for the kind."""


@dataclass(frozen=True, slots=True)
class ConditioningValue:
    """What is to be drawn, or avoided."""

    text: str
    guides: tuple[GuideValue, ...] = ()


@dataclass(frozen=True, slots=True)
class LatentValue:
    """Pictures on their way: empty ones of a size, or such that are drawn over, where the mask says."""

    width: int
    height: int
    count: int = 1
    frames: tuple[bytes, ...] = ()
    mask: bytes | None = None


@dataclass(frozen=True, slots=True)
class ImagesValue:
    """A batch of pictures."""

    frames: tuple[bytes, ...]
    map_kind: str = ""
    """They stand for their map of this kind, their edges or poses, which the engine finds when it draws by them."""


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file as history tells of it."""

    filename: str
    subfolder: str
    type: str


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What came of a node: a value for each output, and what it saved."""

    values: tuple[object, ...] = ()
    saved: tuple[SavedFile, ...] | None = field(default=None)
