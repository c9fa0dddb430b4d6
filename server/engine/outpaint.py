"""Continue an image beyond its borders with patches of itself, in rings (PatchMatch, see `fill`).

The margin grows ring by ring at a working size of at most 432 pixels, since a patch search over one wide margin has
nothing near to match and repeats whole objects. What may be copied is narrowed for each side: not the subject, no
thin details, no colours the border lacks, and only ground below, only sky above. Then the border's own colours take
over where the patches did not match them (see `continuation`), and the detail lost to the working size is put back
(see `detail`).

Good where the border is texture. It fails where the border cuts something off that cannot be repeated: a ground line
just above the lower edge, a body, a repetitive sky whose seams show.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

import cv2
import numpy as np

from atelier_mcp.server.engine.colour_cells import find_foreign_colours
from atelier_mcp.server.engine.continuation import Frame, compute_fade, find_thin_details
from atelier_mcp.server.engine.detail import enlarge_fill
from atelier_mcp.server.engine.fill import DETAIL_BELOW, PATCH_RADIUS_PX, fill, grow_mask, shrink_mask
from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, clean_mask, resize

WORK_PX: Final = 432
"""The longest side of the continued image while it is worked on; the search takes time by its area."""
PATCH_PX: Final = 2
"""The radius of the patches: smaller than elsewhere, as the work is, and half as costly as one of three."""
RING_SHARE: Final = 0.22
"""Of the side it grows along: a ring wider than that clones what is there instead of continuing it."""
LEAST_RING_PX: Final = 8
FOREIGN_SHARE: Final = 0.2
"""How much of a place's surroundings may have colours the border lacks before it is barred; erasing allows half."""
CONTEXT_ROWS: Final = 4 * PATCH_RADIUS_PX
"""Rows beyond those that may be copied from that the search still sees."""
LEAST_FREE: Final = 0.03
"""A ring needs at least this share of the image to copy from."""

MOST_THIN: Final = 0.41
"""Thin details over more of the image than this are its texture, and may be copied like any other."""


class Side(NamedTuple):
    """One side of the image.

    ``quarters`` are the anticlockwise quarter turns that bring it to the foot. ``reach`` is the share of the image,
    counted from this side, that its continuation is copied from: the ground is only what lies lowest, the sky what
    lies above the middle, while to the left and right patches may come from anywhere.
    """

    quarters: int
    reach: float


LEFT, TOP, RIGHT, BOTTOM = Side(1, 1.0), Side(2, 0.4), Side(-1, 1.0), Side(0, 0.12)
SIDES: Final = (LEFT, TOP, RIGHT, BOTTOM)
SIDE_ORDER: Final = (LEFT, RIGHT, TOP, BOTTOM)
"""Sideways first, so that the corners are ground and sky."""


@dataclass(frozen=True, slots=True)
class OutpaintCanvas:
    """The image so far, and 255 for what of it may not be copied."""

    image: Pixels
    exclude_mask: Mask

    def rotate(self, quarters: int) -> OutpaintCanvas:
        """The canvas turned anticlockwise by quarters."""
        return OutpaintCanvas(
            np.ascontiguousarray(np.rot90(self.image, quarters)),
            np.ascontiguousarray(np.rot90(self.exclude_mask, quarters)),
        )


def outpaint(image: Pixels, *, left: int, top: int, right: int, bottom: int, subject: Mask | None = None) -> Pixels:
    """The RGB image with that many pixels continued on each side; the source is in it unchanged.

    The margin grows in rings, each no wider than `RING_SHARE` of what is there, made of patches of what is there.
    Nothing is copied from the ``subject`` (255 where it is), so that it does not appear twice.

    Raises:
        ValueError: a margin is negative or none is above 0, or the subject is empty, covers all or has another size.
    """
    margins = (left, top, right, bottom)
    if min(margins) < 0 or max(margins) == 0:
        raise ValueError(f"margins must not be negative and one must be above 0, not {margins}")
    height, width = image.shape[:2]
    full = (width + left + right, height + top + bottom)
    exclude_mask = np.zeros((height, width), np.uint8) if subject is None else clean_mask(image, subject)
    scale = min(1.0, WORK_PX / max(full))
    extended = _extend(image, exclude_mask, margins, scale=scale)
    fade = compute_fade(extended, Frame(ceil(left * scale), ceil(top * scale), *_compute_small_size(image, scale)))
    small, fade = (_align(planes, image, margins, scale=scale) for planes in (extended, fade))
    if scale < DETAIL_BELOW:
        out = _enlarge(image, small, margins)
    else:
        out = cv2.resize(small, full, interpolation=cv2.INTER_LANCZOS4)
    out = _apply_fade(out, fade)
    # Last of all: the source must come back as it was, whatever scaling and fading did along its border.
    out[top : top + height, left : left + width] = image
    return out


def _apply_fade(canvas: Pixels, fade: Array) -> Pixels:
    """The canvas mixed with the colours of ``fade`` by its fourth plane, see `compute_fade`."""
    fade = cv2.resize(fade, canvas.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    share = fade[..., 3:]
    return np.clip(canvas * (1 - share) + fade[..., :3] * share + np.float32(0.5), 0, 255).astype(np.uint8)


def _align(small: Array, image: Pixels, margins: tuple[int, int, int, int], *, scale: float) -> Array:
    """The small canvas shifted by fractions of a pixel, so that enlarged it meets the source exactly.

    Source and margins were rounded to whole small pixels each by itself, and half a pixel of shift shows as a doubled
    edge all along the border.
    """
    if scale == 1.0:
        return small
    rows: list[list[float]] = []
    for axis, (before, after) in enumerate(((margins[0], margins[2]), (margins[1], margins[3]))):
        length = image.shape[1 - axis]
        whole = (before + length + after) / small.shape[1 - axis]
        own = length / _compute_small_side(length, scale)
        shift = (0.5 * whole - before) / own + ceil(before * scale) - 0.5
        rows.append([whole / own, 0, shift] if axis == 0 else [0, whole / own, shift])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(small, np.array(rows), small.shape[1::-1], flags=how, borderMode=cv2.BORDER_REPLICATE)


def _compute_small_side(length: int, scale: float) -> int:
    """A side of the source at working size."""
    return max(LEAST_RING_PX, round(length * scale))


def _compute_small_size(image: Pixels, scale: float) -> tuple[int, int]:
    """The source's width and height at working size."""
    return _compute_small_side(image.shape[1], scale), _compute_small_side(image.shape[0], scale)


def _enlarge(image: Pixels, small: Pixels, margins: tuple[int, int, int, int]) -> Pixels:
    """The small continued image at full size, with the source's fine detail carried into the margins."""
    left, top, right, bottom = margins
    canvas = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT)
    hole = np.full(canvas.shape[:2], 255, np.uint8)
    hole[top : top + image.shape[0], left : left + image.shape[1]] = 0
    return enlarge_fill(canvas, hole, small, shrink_mask(hole, small.shape[1::-1]))


def _extend(image: Pixels, exclude_mask: Mask, margins: tuple[int, int, int, int], *, scale: float) -> Pixels:
    """The image with its margins at working size."""
    size = _compute_small_size(image, scale)
    small = image if scale == 1.0 else resize(image, *size)
    canvas = OutpaintCanvas(
        small, _find_excluded(small, cv2.resize(exclude_mask, size, interpolation=cv2.INTER_NEAREST))
    )
    missing = {side: ceil(margin * scale) for side, margin in zip(SIDES, margins, strict=True)}
    while any(missing.values()):
        for side in SIDE_ORDER:
            # Every side is turned to the foot, so that there is one way to grow; rot90 moves pixels and loses none.
            rotated = canvas.rotate(side.quarters)
            step = min(missing[side], max(LEAST_RING_PX, int(RING_SHARE * rotated.image.shape[0])))
            if step:
                canvas = _extend_below(rotated, step, reach=side.reach).rotate(-side.quarters)
                missing[side] -= step
    return canvas.image


def _find_excluded(small: Pixels, exclude_mask: Mask) -> Mask:
    """The subject and what stands out beside it; what stands out nearly everywhere is texture."""
    thin_details = find_thin_details(small)
    beside = exclude_mask == 0
    return cv2.bitwise_or(exclude_mask, thin_details) if (thin_details[beside] > 0).mean() < MOST_THIN else exclude_mask


def _extend_below(canvas: OutpaintCanvas, step: int, *, reach: float) -> OutpaintCanvas:
    """The canvas continued by ``step`` rows below, with patches from its lowest share of rows, ``reach``."""
    height, width = canvas.image.shape[:2]
    below = (0, step, 0, 0)
    excluded = _find_excluded_below(canvas, step, reach)
    # The search takes time by all it is given: rows that nothing may be copied from are left out.
    first = max(0, int(np.flatnonzero((excluded == 0).any(axis=1))[0]) - CONTEXT_ROWS)
    base = cv2.copyMakeBorder(canvas.image[first:], *below, cv2.BORDER_REFLECT_101)
    hole = np.zeros((height - first + step, width), np.uint8)
    hole[height - first :] = 255
    excluded = cv2.copyMakeBorder(excluded[first:], *below, cv2.BORDER_CONSTANT, value=0)
    filled = fill(base, hole, exclude_mask=excluded, patch_radius_px=PATCH_PX)
    image = np.concatenate([canvas.image, filled[height - first :]])
    return OutpaintCanvas(image, cv2.copyMakeBorder(canvas.exclude_mask, *below, cv2.BORDER_CONSTANT, value=0))


def _find_excluded_below(canvas: OutpaintCanvas, step: int, reach: float) -> Mask:
    """What must not be copied below: the subject, colours that the lowest rows have not, and what lies too high.

    The last two are dropped where they would leave too little.
    """
    height, width = canvas.image.shape[:2]
    rim = np.zeros((height, width), np.uint8)
    rim[-max(LEAST_RING_PX, step // 2) :] = 255
    lab = cv2.cvtColor(canvas.image, cv2.COLOR_RGB2LAB)
    foreign = find_foreign_colours(lab, cv2.subtract(rim, canvas.exclude_mask), share=FOREIGN_SHARE)
    familiar_only = cv2.bitwise_or(canvas.exclude_mask, grow_mask(foreign, PATCH_RADIUS_PX + 1))
    near_only = familiar_only.copy()
    near_only[: int(height * (1 - reach))] = 255
    for excluded in (near_only, familiar_only):
        if excluded.size - cv2.countNonZero(excluded) > LEAST_FREE * excluded.size:
            return excluded
    return canvas.exclude_mask
