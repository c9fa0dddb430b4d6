"""What is done to one picture, and the size that comes of it: numbers only, no pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from atelier_mcp.server.images.color_names import WHITE
from atelier_mcp.server.images.encode import DEFAULT_QUALITY

if TYPE_CHECKING:
    from atelier_mcp.server.images.color_names import Color
    from atelier_mcp.server.images.encode import FileFormat

Fit: TypeAlias = Literal["contain", "cover", "pad", "stretch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """What is done to a picture; whatever is None or neutral is left out. Lengths in pixels."""

    crop: tuple[int, int, int, int] | None = None
    """x, y, width, height in the upright picture."""
    rotate: float = 0
    """Degrees clockwise."""
    flip: Literal["horizontal", "vertical"] | None = None
    is_grey: bool = False
    """Without colours; what is put around and behind it keeps its own."""
    brightness: float = 1
    """A factor, as are contrast and saturation."""
    contrast: float = 1
    saturation: float = 1
    blur: float = 0
    """Radius of a Gaussian, before the picture is resized."""
    width: int | None = None
    """Of the result, its outline included, as are height and ratio."""
    height: int | None = None
    ratio: float | None = None
    """Width by height of the result."""
    fit: Fit = "contain"
    outline_width: int = 0
    """Of a line around what can be seen."""
    outline_color: Color = WHITE
    color: Color | None = None
    """Behind and around the picture; None: transparent around it, and its own transparency stays."""
    file_format: FileFormat | None = None
    quality: int = DEFAULT_QUALITY
    max_bytes: int | None = None
    """Of the file: its quality is lowered for that, and its size where no side was given."""

    @property
    def keeps_ratio(self) -> bool:
        """True when one side is all that is said of the size."""
        return self.ratio is None and (self.width is None) != (self.height is None)


def choose_box(transformation: Transformation, size: tuple[int, int], margin: int) -> tuple[int, int] | None:
    """The box to fit a picture of ``size`` into, ``margin`` smaller on both sides than what was asked for."""
    if transformation.keeps_ratio:
        # The picture's own ratio, which with the margin would be another.
        width, height = transformation.width, transformation.height or 0
        scale = (height - margin) / size[1] if width is None else (width - margin) / size[0]
        box = size[0] * scale, size[1] * scale
        return (max(1, round(box[0])), max(1, round(box[1]))) if scale > 0 else (0, 0)
    box = _choose_whole_box(transformation, (size[0] + margin, size[1] + margin))
    return None if box is None else (box[0] - margin, box[1] - margin)


def _choose_whole_box(transformation: Transformation, size: tuple[int, int]) -> tuple[int, int] | None:
    """The given sides, the missing one by the ratio, or the ratio around or inside a picture of ``size``."""
    width, height, ratio = transformation.width, transformation.height, transformation.ratio
    if width is not None and height is not None:
        return width, height
    if ratio is None:
        return None
    if width is not None or height is not None:
        return width or max(1, round((height or 1) * ratio)), height or max(1, round((width or 1) / ratio))
    grows = transformation.fit in ("pad", "stretch")
    is_too_wide = size[0] / size[1] > ratio
    keeps_width = is_too_wide if grows else not is_too_wide
    return (size[0], max(1, round(size[0] / ratio))) if keeps_width else (max(1, round(size[1] * ratio)), size[1])
