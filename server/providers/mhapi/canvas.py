"""Where a source lies in the canvas that MHAPI is asked for: its two calls have rules of their own.

One keeps the source's ratio (contract: outpaint.imgen), the other takes any canvas in steps (contract:
outpaint.imgen_free). What is asked for is always at least what the caller wants, which is cut out of the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.images.placement import enlarge_to_minimum, place
from atelier_mcp.server.providers.outpaint_canvas import MAX_SIDE_PX, WantedCanvas

if TYPE_CHECKING:
    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.requests.edit import OutpaintImage

MIN_SIDE_PX: Final = 640
MIN_SOURCE_PX: Final = 256
CANVAS_STEP_PX: Final = 64
OFFSET_STEP_PX: Final = 8
MARGIN_PX: Final = 8
"""A canvas must be larger than the source with its offset (contract: outpaint.imgen_free.strictly_greater)."""
MAX_CANVAS_PX: Final = MAX_SIDE_PX // CANVAS_STEP_PX * CANVAS_STEP_PX
RATIO_TOLERANCE: Final = 0.01


@dataclass(frozen=True, slots=True)
class SentCanvas:
    """What the service is asked for, in pixels, and what makes the asked canvas of its picture."""

    source: Size
    """The size in which the source is sent."""
    width: int
    height: int
    x: int
    y: int
    finish: Reframe


def keeps_ratio(request: OutpaintImage, canvas: WantedCanvas, source: Size) -> bool:
    """Whether the call that keeps the source's ratio can do it: its sides, its nine places, nothing to be resized."""
    if min(source) < MIN_SOURCE_PX or min(canvas.size) < MIN_SIDE_PX or request.has_sides:
        return False
    is_larger = canvas.width > source[0] and canvas.height > source[1]
    deviation = abs(canvas.width * source[1] / (canvas.height * source[0]) - 1)
    is_at_position = (canvas.x, canvas.y) == place(source, canvas.size, request.position)
    return is_larger and deviation <= RATIO_TOLERANCE and is_at_position


def plan_free_canvas(canvas: WantedCanvas, source: Size) -> SentCanvas:
    """The next canvas in the service's steps that holds the asked one.

    A source below the service's minimum is sent larger, one that would reach past its largest canvas a little smaller.
    Raises ``InvalidRequest`` where neither is possible.
    """
    size = _choose_source_size(canvas, source)
    across, down = size[0] / source[0], size[1] / source[1]
    right_px, bottom_px = canvas.width - canvas.x - source[0], canvas.height - canvas.y - source[1]
    x, width = _plan_axis(canvas.x * across, size[0], right_px * across)
    y, height = _plan_axis(canvas.y * down, size[1], bottom_px * down)
    left, top = x - canvas.x * across, y - canvas.y * down
    region = (left, top, left + canvas.width * across, top + canvas.height * down)
    finish = Reframe(size=canvas.size, canvas=(width, height), region=region, source="image", at=(canvas.x, canvas.y))
    return SentCanvas(size, width, height, x, y, finish)


def _plan_axis(before_px: float, source_px: int, after_px: float) -> tuple[int, int]:
    """Offset and canvas along one axis, with at least so much room before and after the source.

    What is too much lies before it as far as possible: at the lower right there is the service's mark, and it is kept.
    """
    after_px = max(MARGIN_PX, math.ceil(after_px - 1e-6))
    needed_px = math.ceil((before_px - 1e-6) / OFFSET_STEP_PX) * OFFSET_STEP_PX + source_px + after_px
    side = max(MIN_SIDE_PX, math.ceil(needed_px / CANVAS_STEP_PX) * CANVAS_STEP_PX)
    return (side - source_px - after_px) // OFFSET_STEP_PX * OFFSET_STEP_PX, side


def _choose_source_size(canvas: WantedCanvas, source: Size) -> Size:
    size = enlarge_to_minimum(source, MIN_SOURCE_PX)
    room_px = MAX_CANVAS_PX - 2 * CANVAS_STEP_PX  # also after both roundings
    scale = min(1.0, *(room_px / (side * size[0] / source[0]) for side in canvas.size))
    if scale == 1 or max(canvas.size) * size[0] / source[0] <= room_px:
        return size
    size = round(size[0] * scale), round(size[1] * scale)
    if min(size) < MIN_SOURCE_PX:
        raise InvalidRequest(
            f"image: {source[0]}x{source[1]} is too narrow for a canvas of {canvas.width}x{canvas.height}.",
            hint="Ask for a smaller canvas, or extend in several calls.",
        )
    return size
