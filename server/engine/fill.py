"""Fill a hole with patches of its surroundings, by PatchMatch: what erasing, outpainting and inpainting share.

Excellent on sky, walls, foliage and wood, which look alike everywhere. It cannot know what should be there: next to an
object that the hole cuts through, it continues the object, which is why callers pass ``exclude_mask``.
"""

from __future__ import annotations

import logging
import threading
from typing import Final, cast

import cv2
import numpy as np
import patchmatch

from atelier_mcp.server.engine.detail import enlarge_fill
from atelier_mcp.server.engine.pixels import Mask, Pixels, resize

PATCH_RADIUS_PX: Final = 3
TELEA_RADIUS_PX: Final = 5
"""For the stopgap only: Telea's method smears, and is good for scratches of less than ten pixels."""
SEED: Final = 7
DETAIL_BELOW: Final = 0.6
"""A fill made smaller than this share of its picture looks soft when enlarged, and gets its detail back."""

_log = logging.getLogger(__name__)
_seed_lock = threading.Lock()
"""The patch search keeps one seed for the whole process, so seeding and searching go together."""


def fill(
    image: Pixels,
    hole: Mask,
    *,
    exclude_mask: Mask | None = None,
    seed: int = SEED,
    patch_radius_px: int = PATCH_RADIUS_PX,
) -> Pixels:
    """The RGB image with its hole (255) made of patches from elsewhere in it; the rest is unchanged.

    ``exclude_mask`` marks pixels no patch may come from; it is dropped where it would leave nothing to copy. Without
    the native patch search the hole is smeared shut by the method of Telea. A megapixel takes about 1.5 seconds and
    cannot be interrupted.
    """
    if not patchmatch.patchmatch_available:
        _log.warning("the native patch search is missing, holes are filled by smoothing")
        return cv2.inpaint(image, hole, TELEA_RADIUS_PX, cv2.INPAINT_TELEA)
    # The search fails where nothing is left to copy.
    excluded = _limit_exclusion(hole, exclude_mask)
    with _seed_lock:
        # Set before every call: the seed is the whole process's, and the fill before may have used another.
        patchmatch.set_random_seed(seed)
        filled = patchmatch.inpaint(image, hole, global_mask=excluded, patch_size=patch_radius_px)
    return cast("Pixels", filled)


def fill_scaled(
    image: Pixels, hole: Mask, *, longest: int, exclude_mask: Mask | None = None, seed: int = SEED
) -> Pixels:
    """Like `fill`, worked at no more than ``longest`` pixels a side; only the hole of the result is meaningful.

    At a longest side of 640 a fill takes about a second whatever the image's size; at 2048 it would be seven.
    """
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    if scale == 1.0:
        return fill(image, hole, exclude_mask=exclude_mask, seed=seed)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small_hole = shrink_mask(hole, size)
    small = fill(
        resize(image, *size),
        small_hole,
        exclude_mask=None if exclude_mask is None else shrink_mask(exclude_mask, size),
        seed=seed,
    )
    if scale > DETAIL_BELOW:
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LANCZOS4)
    return enlarge_fill(image, hole, small, small_hole)


def grow_mask(mask: Mask, radius_px: int) -> Mask:
    """The mask spread by a round brush of that radius."""
    if radius_px < 1:
        return mask
    side = 2 * radius_px + 1
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def shrink_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at a smaller ``(width, height)``; a pixel is marked when any of those it stands for was.

    A pixel half inside the hole holds some of what is to go, and must not be copied from.
    """
    return ((cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 0) * 255).astype(np.uint8)


def _limit_exclusion(hole: Mask, exclude_mask: Mask | None) -> Mask | None:
    """The exclusion without the hole itself; None when less than a fiftieth of the image would be left to copy."""
    if exclude_mask is None:
        return None
    excluded = cv2.bitwise_and(exclude_mask, cv2.bitwise_not(hole))
    free = hole.size - cv2.countNonZero(hole) - cv2.countNonZero(excluded)
    return excluded if free > hole.size // 50 else None
