"""Erase what a mask marks: the area is filled with patches of its surroundings, feathered in at its edge.

Each marked place is cut out with as much context as it is large, a long one in pieces (`hole_pieces`), and filled at a
working size of at most 640 pixels (see `fill`). Before that, what looks like the rest of the marked object is found
beside the mask and kept out of the patches: a mask that cuts through an object would otherwise be filled with more of
the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from atelier_mcp.server.engine.colour_cells import compute_region_likelihood, find_foreign_colours
from atelier_mcp.server.engine.fill import SEED, fill_scaled, grow_mask, shrink_mask
from atelier_mcp.server.engine.grabcut import run_graph_cut, select_foreground
from atelier_mcp.server.engine.hole_pieces import split_hole
from atelier_mcp.server.engine.pixels import Mask, Pixels, Plane, blend, clean_mask, resize

if TYPE_CHECKING:
    from collections.abc import Iterator

MARGIN_PX: Final = 5
"""How far a mask is spread: marks are rarely generous, and a rim of the old object left over shows at once."""
FEATHER_PX: Final = 3
LEAST_CONTEXT_PX: Final = 48
WORK_PX: Final = 640
LEAST_WORK_PX: Final = 160
WORK_AREA_PX: Final = 60_000
"""Pixels of hole a fill works on at most: its time goes by these, about a second for so many."""
CONTEXT_PX: Final = 240
"""The longest side at which it is decided what may be copied; colours are enough for that, detail is not needed."""
SPILL_SHARE: Final = 0.06
"""An object continues beside the mask when at least this much of its size lies there; less is its blurred edge."""
REACH: Final = 0.4
"""How far beside a hole the rest of an object is looked for, as a share of the hole's extent."""
RIM: Final = 0.12
"""The rim around a hole whose colours count as ground, as a share of the hole's extent."""
RIM_SHARE: Final = 0.4
"""What meets more of the rim than this is the ground itself, no object."""
MASK_CUTS_THROUGH: Final = (
    "the mask cuts through an object: part of it is left beside the erased area; mark the whole object to remove it all"
)


class HoleContext(NamedTuple):
    """A window reduced to `CONTEXT_PX`: its 8-bit Lab colours, and masks of the hole, what is near it, and its rim."""

    lab: Pixels
    inside: Mask
    near: Mask
    rim: Mask


@dataclass(frozen=True, slots=True)
class EraseResult:
    """The image without what was marked, and advice for the caller."""

    image: Pixels
    advice: tuple[str, ...]


class Window(NamedTuple):
    """A part of the image, as slices of it."""

    rows: slice
    columns: slice


def erase(image: Pixels, mask: Mask) -> EraseResult:
    """The RGB image with the marked area (255 in ``mask``) filled from its surroundings.

    The area is spread by `MARGIN_PX`, since marks are rarely generous, and blended in over the outermost
    `FEATHER_PX` of that margin: every pixel further than `MARGIN_PX` from the mask is unchanged. An object the mask
    cuts through is not copied into the hole, and the advice says that part of it remains.

    Raises:
        ValueError: the mask is empty, covers all or has another size.
    """
    return refill(image, add_margin(clean_mask(image, mask)))


def refill(image: Pixels, hole: Mask, *, seed: int = SEED) -> EraseResult:
    """The RGB image with exactly the hole filled, blended in over its outermost `FEATHER_PX`."""
    out = image.copy()
    is_cut_through = False
    for window in _find_windows(hole):
        # From the result, not the source: two windows may overlap, and the later must keep what the earlier filled.
        part = out[window]
        own = np.ascontiguousarray(hole[window])
        spill = _find_spill(_build_context(part, own))
        is_cut_through = is_cut_through or spill is not None
        rest = np.zeros_like(own) if spill is None else _enlarge(spill, own)
        out[window] = blend(part, _fill_in_pieces(part, own, rest, seed=seed), feather(own))
    return EraseResult(out, (MASK_CUTS_THROUGH,) if is_cut_through else ())


def _fill_in_pieces(part: Pixels, hole: Mask, rest: Mask, *, seed: int) -> Pixels:
    """The part with its hole filled, a piece after the other, each from what is around it.

    ``rest`` is what is left of the object beside the hole: it is not copied.
    """
    filled, open_hole = part.copy(), hole.copy()
    pieces = split_hole(hole)
    for piece in pieces:
        window = _find_piece_window(piece) if len(pieces) > 1 else Window(slice(None), slice(None))
        own, near, near_hole = (np.ascontiguousarray(one[window]) for one in (piece, filled, open_hole))
        exclude_mask = _find_excluded(near, own, np.ascontiguousarray(cv2.bitwise_or(open_hole, rest)[window]))
        exclude_mask = cv2.bitwise_or(exclude_mask, np.ascontiguousarray(rest[window]))
        longest = _choose_work_px(near_hole, share=1 / len(pieces))
        made = fill_scaled(near, near_hole, longest=longest, exclude_mask=exclude_mask, seed=seed)
        filled[window] = np.where(own[..., None] > 0, made, near)
        open_hole[piece > 0] = 0
    return filled


def add_margin(area: Mask) -> Mask:
    """The area with `MARGIN_PX` round it; without where that would leave nothing of the picture."""
    spread = grow_mask(area, MARGIN_PX)
    return area if cv2.countNonZero(spread) == spread.size else spread


def feather(hole: Mask, width_px: int = FEATHER_PX) -> Plane:
    """The weight of a fill: 0 outside the hole, rising over ``width_px`` inside its edge to 1."""
    inside = cv2.distanceTransform(hole, cv2.DIST_L2, 3)
    return np.clip(inside / np.float32(width_px + 1), 0, 1)


def _find_windows(hole: Mask) -> Iterator[Window]:
    """Each marked place with as much around it as it is large; places whose contexts overlap share a window.

    Less context is too little to copy from; more costs time, and brings patches from things that are far away.
    """
    height, width = hole.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(hole)
    merged = np.zeros((height, width), np.uint8)
    for x, y, w, h, _ in stats[1:].tolist():
        # As much again on every side as the place is large.
        pad = max(LEAST_CONTEXT_PX, w, h)
        cv2.rectangle(merged, (x - pad, y - pad), (x + w + pad - 1, y + h + pad - 1), 255, cv2.FILLED)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(merged)
    for x, y, w, h, _ in boxes[1:].tolist():
        yield Window(slice(y, y + h), slice(x, x + w))


def _choose_work_px(hole: Mask, *, share: float = 1.0) -> int:
    """The longest side to fill at: less for a large hole, as the search takes time by the hole's area.

    ``share`` is that of the whole time which this hole may take.
    """
    by_area = max(hole.shape) * float(np.sqrt(share * WORK_AREA_PX / max(1, cv2.countNonZero(hole))))
    return min(round(WORK_PX * share**0.5), max(LEAST_WORK_PX, round(by_area)))


def _find_piece_window(piece: Mask) -> Window:
    """A piece with half as much around it as it is large: enough to copy from, and nothing that is far away."""
    x, y, width, height = cv2.boundingRect(piece)
    pad = max(LEAST_CONTEXT_PX, max(width, height) // 2)
    return Window(slice(max(0, y - pad), y + height + pad), slice(max(0, x - pad), x + width + pad))


def _find_excluded(part: Pixels, hole: Mask, unknown: Mask) -> Mask:
    """What must not be copied into the hole: colours that what is known around it has not."""
    context = _build_context(part, hole)
    rim = cv2.subtract(context.rim, shrink_mask(unknown, (context.rim.shape[1], context.rim.shape[0])))
    return _enlarge(find_foreign_colours(context.lab, rim), hole)


def _enlarge(mask: Mask, like: Mask) -> Mask:
    return cv2.resize(mask, like.shape[::-1], interpolation=cv2.INTER_NEAREST)


def _build_context(part: Pixels, hole: Mask) -> HoleContext:
    """The window and its hole at `CONTEXT_PX`."""
    height, width = hole.shape
    scale = min(1.0, CONTEXT_PX / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    inside = ((cv2.resize(hole, size, interpolation=cv2.INTER_AREA) > 0) * 255).astype(np.uint8)
    extent_px = float(np.sqrt(cv2.countNonZero(inside)))
    near = grow_mask(inside, max(4, round(REACH * extent_px)))
    rim = grow_mask(inside, max(4, round(RIM * extent_px)))
    outside = cv2.bitwise_not(inside)
    lab = cv2.cvtColor(resize(part, *size), cv2.COLOR_RGB2LAB)
    return HoleContext(lab, inside, near=near, rim=cv2.bitwise_and(rim, outside))


def _find_spill(context: HoleContext) -> Mask | None:
    """The part of the marked object that lies beside the hole and is connected to it; None if hardly any is."""
    labels = _guess_object(context)
    if labels is None:
        return None
    found = select_foreground(run_graph_cut(context.lab, labels, 3))
    # Only what hangs together with the marked part belongs to it.
    beside = cv2.bitwise_and(_keep_touching(found, context.inside), cv2.bitwise_not(context.inside))
    inside_size = cv2.countNonZero(cv2.bitwise_and(found, context.inside))
    if (
        cv2.countNonZero(beside) < max(12, SPILL_SHARE * inside_size)
        or _compute_rim_share(beside, context.inside) > RIM_SHARE
    ):
        return None
    return grow_mask(beside, 2)


def _guess_object(context: HoleContext) -> Mask | None:
    """Labels for `cv2.grabCut`: in the hole, what has colours rare around it is the object; None if nothing has."""
    if cv2.countNonZero(context.rim) == 0:
        return None
    likelihood = compute_region_likelihood(context.lab, context.inside, context.rim)
    labels = np.full(context.inside.shape, cv2.GC_BGD, np.uint8)
    labels[context.near > 0] = cv2.GC_PR_BGD
    labels[(context.inside > 0) & (likelihood > 0.5)] = cv2.GC_PR_FGD
    enough = max(12, cv2.countNonZero(context.inside) // 50)
    # A fiftieth of the hole: less is a shadow or a reflection.
    return labels if np.count_nonzero(labels == cv2.GC_PR_FGD) >= enough else None


def _compute_rim_share(beside: Mask, inside: Mask) -> float:
    """The share of the line around the hole that what was found beside it occupies."""
    line = cv2.bitwise_and(grow_mask(inside, 1), cv2.bitwise_not(inside))
    return cv2.countNonZero(cv2.bitwise_and(line, beside)) / max(1, cv2.countNonZero(line))


def _keep_touching(found: Mask, hole: Mask) -> Mask:
    """The connected pieces of what was found that have a part inside the hole."""
    _, pieces = cv2.connectedComponents(found)
    inside = np.unique(pieces[(hole > 0) & (found > 0)])
    return (np.isin(pieces, inside) & (found > 0)).astype(np.uint8) * np.uint8(255)
