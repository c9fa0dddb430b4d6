"""Where a source lies in a larger canvas, by MHAPI's two sets of rules.

One keeps the source's ratio (contract: outpaint.imgen), the other takes any canvas (contract: outpaint.imgen_free).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.requests.edit import OutpaintImage

MIN_SIDE_PX = 640
MAX_SIDE_PX = 6000
MAX_RATIO = 5.0
DEFAULT_RATIO = 1.5
CANVAS_STEP_PX = 64
OFFSET_STEP_PX = 8
MARGIN_PX = 8
"""The canvas must be strictly larger than the source with its offset, also after rounding."""
RATIO_TOLERANCE = 0.01


def is_free_canvas(request: OutpaintImage, source: ImageHeader | None) -> bool:
    """Whether the canvas needs the free operation: an offset is given, or another ratio than the source's."""
    # Only the free operation knows an offset; the other one aligns to nine places (contract: enums.align_position).
    if request.x is not None or request.y is not None:
        return True
    if request.width is None or request.height is None or source is None:
        return False
    return abs(request.width * source.height / (request.height * source.width) - 1) > RATIO_TOLERANCE


def plan_ratio(request: OutpaintImage, source: ImageHeader | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The ratio as it is sent, raised where the result would be too small, and what to tell.

    Raises ``InvalidRequest`` for a source that cannot grow.
    """
    ratio = request.ratio or DEFAULT_RATIO
    if source is None:
        return {"ratio": ratio}, ()
    # Both limits hold for each side of the result, so the longer side meets one of them and the shorter the other.
    longest, shortest = max(source.width, source.height), min(source.width, source.height)
    if longest >= MAX_SIDE_PX:
        raise InvalidRequest(f"image: {source.width}x{source.height} cannot be extended, {MAX_SIDE_PX} is the limit.")
    notes: list[str] = []
    if shortest * ratio < MIN_SIDE_PX:
        ratio = min(MAX_RATIO, math.ceil(MIN_SIDE_PX * 1000 / shortest) / 1000)
        notes.append(f"ratio raised to {ratio:g}: a result has at least {MIN_SIDE_PX} pixels a side")
    if longest * ratio > MAX_SIDE_PX:
        notes.append(f"the longest side is held to {MAX_SIDE_PX} pixels")
    return {"ratio": ratio}, tuple(notes)


def check_sides(request: OutpaintImage, source: ImageHeader | None) -> None:
    """Raise ``InvalidRequest`` where the asked size is not above the source's."""
    if source is None or request.width is None or request.height is None:
        return
    if request.width <= source.width or request.height <= source.height:
        raise InvalidRequest(
            f"width, height: {request.width}x{request.height} is not larger than the source's "
            f"{source.width}x{source.height}."
        )


def plan_canvas(request: OutpaintImage, source: ImageHeader) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Width, height, x and y on the service's grids, and what to tell of them.

    Raises ``InvalidRequest`` for a canvas that the source does not fit into.
    """
    x_share, y_share = _parse_position(request.position)
    x, width = _plan_axis("width", request.width or MIN_SIDE_PX, source.width, request.x, x_share)
    y, height = _plan_axis("height", request.height or MIN_SIDE_PX, source.height, request.y, y_share)
    placement = {"width": width, "height": height, "x": x, "y": y}
    is_changed = (
        (request.width, request.height) != (width, height) or request.x not in (None, x) or request.y not in (None, y)
    )
    reason = ": the service works in steps" * is_changed
    return placement, (f"canvas {width}x{height} with the source at {x},{y}{reason}",)


def _plan_axis(name: str, requested_px: int, source: int, offset: int | None, share: float) -> tuple[int, int]:
    """Offset and canvas side along one axis; without an offset ``share`` of the free room lies before the source."""
    if requested_px < source + (offset or 0):
        position = f" at {offset}" if offset else ""
        raise InvalidRequest(f"{name}: a source of {source} pixels{position} does not fit into {requested_px}.")
    # The offset is sent rounded down to its grid: the canvas has to hold the source where it really will be.
    min_side_px = (offset or 0) // OFFSET_STEP_PX * OFFSET_STEP_PX + source + MARGIN_PX
    side = max(MIN_SIDE_PX, _round_to_step(requested_px), math.ceil(min_side_px / CANVAS_STEP_PX) * CANVAS_STEP_PX)
    if side > _round_to_step(MAX_SIDE_PX):
        side = _round_to_step(MAX_SIDE_PX)
        if min_side_px > side:
            raise InvalidRequest(f"{name}: {min_side_px} pixels are needed and {side} is the largest canvas.")
    offset_px = min((side - source) * share, side - source - MARGIN_PX) if offset is None else offset
    return int(offset_px // OFFSET_STEP_PX * OFFSET_STEP_PX), side


def _round_to_step(pixels: int) -> int:
    """The nearest canvas side that does not pass the limit."""
    return min(round(pixels / CANVAS_STEP_PX), MAX_SIDE_PX // CANVAS_STEP_PX) * CANVAS_STEP_PX


def _parse_position(position: str) -> tuple[float, float]:
    """The share of free room left of and above the source."""
    x_share = 0.0 if position.endswith("left") else 1.0 if position.endswith("right") else 0.5
    y_share = 0.0 if position.startswith("top") else 1.0 if position.startswith("bottom") else 0.5
    return x_share, y_share
