"""The canvas that an outpainting asks for, exactly, whatever steps a service works in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.placement import place
from atelier_mcp.server.requests.sizes import complete_size, parse_aspect

if TYPE_CHECKING:
    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.requests.edit import OutpaintImage

MAX_SIDE_PX: Final = 6000
DEFAULT_SCALE: Final = 1.5


@dataclass(frozen=True, slots=True)
class WantedCanvas:
    """A canvas and where the source lies in it, in pixels."""

    width: int
    height: int
    x: int
    y: int

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.width, self.height

    def __str__(self) -> str:
        """For a reader."""
        return f"canvas {self.width}x{self.height} with the source at {self.x},{self.y}"


def compute_canvas(request: OutpaintImage, source: Size) -> WantedCanvas:
    """The canvas for a source of this size.

    Raises ``InvalidRequest`` for one that the source does not fit into, that adds nothing, or that is too large.
    """
    if request.has_sides:
        left, right, top, bottom = _measure_sides(request, source)
        size = (source[0] + left + right, source[1] + top + bottom)
        canvas = WantedCanvas(*size, left, top)
    else:
        width, height = _choose_size(request, source)
        x, y = place(source, (width, height), request.position)
        canvas = WantedCanvas(
            width, height, x if request.x is None else request.x, y if request.y is None else request.y
        )
    _check_canvas(canvas, source)
    return canvas


def _measure_sides(request: OutpaintImage, source: Size) -> tuple[int, ...]:
    """Pixels at the left, right, top and bottom: a fraction is a share of the source's side."""
    lengths = source[0], source[0], source[1], source[1]
    return tuple(
        # So 1.0 is one pixel and not the whole side; the request's field says the same.
        round(side or 0) if float(side or 0).is_integer() else round((side or 0) * length)
        for side, length in zip(request.sides, lengths, strict=True)
    )


def _choose_size(request: OutpaintImage, source: Size) -> Size:
    if request.aspect is not None:
        ratio = parse_aspect(request.aspect)
        return complete_size(request.width, request.height, ratio) or _extend_to_ratio(source, ratio)
    if request.width is not None or request.height is not None:
        return request.width or source[0], request.height or source[1]
    scale = request.scale or DEFAULT_SCALE
    return round(source[0] * scale), round(source[1] * scale)


def _extend_to_ratio(source: Size, ratio: float) -> Size:
    """The smallest canvas of the ratio that holds the source."""
    width, height = source
    return (width, max(height, round(width / ratio))) if width / height > ratio else (round(height * ratio), height)


def _check_canvas(canvas: WantedCanvas, source: Size) -> None:
    for name, side, offset, length in (
        ("width", canvas.width, canvas.x, source[0]),
        ("height", canvas.height, canvas.y, source[1]),
    ):
        if side > MAX_SIDE_PX:
            raise InvalidRequest(
                f"{name}: the canvas would have {side} pixels; {MAX_SIDE_PX} is the most.",
                hint=f"transform_image(image=..., {name}={length * MAX_SIDE_PX // side}) makes the source smaller.",
            )
        if offset < 0 or offset + length > side:
            at = f" at {offset}" if offset > 0 else ""
            raise InvalidRequest(
                f"{name}: a source of {length} pixels{at} does not fit into {side}.",
                hint="Give a larger canvas, or make the source smaller with transform_image first.",
            )
    if canvas.size == source:
        raise InvalidRequest(f"The canvas is the source's own {source[0]}x{source[1]}: there is nothing to add.")
