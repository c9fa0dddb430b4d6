"""The visible watermark on a generated image: a notice in words, or a small drawn sign.

Our own drawings; the services' logos are theirs. Easily cropped: it informs people and proves nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from atelier_mcp.server.engine.pixels import compute_luminance, to_bytes, to_float

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Pixels, Plane
    from atelier_mcp.server.engine.tasks import Watermark

NOTICE: Final = "AI generated"
"""English, because Pillow's built-in face has no Chinese glyphs and the engine ships no font."""
NOTICE_HEIGHT: Final = 0.026
SIGN_HEIGHT: Final = 0.075
MARGIN: Final = 0.018
"""All three as shares of the square root of the image's area."""
OPACITY: Final = 0.78
HALO: Final = 0.45
LIGHT_GROUND: Final = 0.62
"""Mean brightness of the corner above which the watermark is dark."""
SCALES: Final = (0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06)
"""Sizes of a mark that was scaled with its picture: its height had been rounded to whole pixels."""
SEARCH_PX: Final = 8
"""How far from its place a mark is looked for: scaling rounds."""
LEAST_MARK_PX: Final = 8
LEAST_MATCH: Final = 0.5
"""The correlation from which on the corner carries the mark; pictures without one stay far below."""
OVERSAMPLING: Final = 4
"""The sign is drawn so much larger and averaged down: its many overlapping discs would otherwise show their edges."""


def stamp(image: Pixels, kind: Watermark) -> Pixels:
    """The RGB or RGBA image with a half-transparent watermark in its lower right corner, the rest untouched.

    ``Default`` is the words "AI generated"; ``MakaLogo`` is a sign of our own, a brush stroke in a ring. It is
    white on a soft dark halo, and the other way round on a light ground; its size follows the image's. An image
    too small to hold it gets as much of it as fits.
    """
    height, width = image.shape[:2]
    side = (height * width) ** 0.5
    mark = (
        _draw_notice(max(9, round(NOTICE_HEIGHT * side)))
        if kind == "Default"
        else _draw_sign(max(14, round(SIGN_HEIGHT * side)))
    )
    margin = max(1, round(MARGIN * side))
    rows, columns = min(mark.shape[0], height - margin), min(mark.shape[1], width - margin)
    if rows < 1 or columns < 1:
        return image.copy()
    corner = (slice(height - margin - rows, height - margin), slice(width - margin - columns, width - margin))
    stamped = image.copy()
    mark = mark[-rows:, -columns:]
    if _carries_mark(image, corner, mark):
        # One mark is enough: enlarged or redrawn pictures bring theirs along, at the same place and scale.
        return stamped
    stamped[corner][..., :3] = _blend_mark(np.ascontiguousarray(image[corner][..., :3]), mark)
    if image.shape[2] == 4:
        # On a transparent ground the mark must not be transparent with it.
        alpha = stamped[corner][..., 3]
        np.maximum(alpha, to_bytes(np.maximum(mark, _make_halo(mark))), out=alpha)
    return stamped


def _carries_mark(image: Pixels, corner: tuple[slice, slice], mark: Plane) -> bool:
    """Whether the corner shows this mark already, give or take a few pixels."""
    rows, columns = (slice(max(0, part.start - SEARCH_PX), part.stop + SEARCH_PX) for part in corner)
    # A cut-off mark is found by chance anywhere.
    if min(mark.shape) < LEAST_MARK_PX:
        return False
    grey = compute_luminance(np.ascontiguousarray(image[rows, columns][..., :3])).astype(np.float32)
    # The fine structure alone: light and shade of the ground beneath are no part of a mark.
    reach = mark.shape[0] / 3
    fine = grey - cv2.GaussianBlur(grey, (0, 0), reach)
    pattern = mark - cv2.GaussianBlur(mark, (0, 0), reach)
    return max(_match_pattern(fine, pattern, scale) for scale in SCALES) > LEAST_MATCH


def _match_pattern(fine: Plane, pattern: Plane, scale: float) -> float:
    """The best correlation of the pattern at that scale anywhere in the plane, of either ink."""
    size = round(pattern.shape[1] * scale), round(pattern.shape[0] * scale)
    if size[0] > fine.shape[1] or size[1] > fine.shape[0]:
        return 0.0
    scaled = cv2.resize(pattern.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    match = cv2.matchTemplate(fine, scaled, cv2.TM_CCOEFF_NORMED)
    return float(np.abs(match).max()) if np.isfinite(match).all() else 0.0


def _blend_mark(ground: Pixels, mark: Plane) -> Pixels:
    """The mark in the ink that stands off the ground, on a soft halo of the other."""
    ink, other = (0.0, 1.0) if float(compute_luminance(ground).mean()) > LIGHT_GROUND else (1.0, 0.0)
    halo = _make_halo(mark)
    colours = to_float(ground)
    colours = colours + (np.float32(other) - colours) * halo[..., None]
    return to_bytes(colours + (np.float32(ink) - colours) * (mark * np.float32(OPACITY))[..., None])


def _make_halo(mark: Plane) -> Plane:
    """The soft ground around the mark, as coverage."""
    reach = max(0.8, mark.shape[0] / 14)
    return np.clip(cv2.GaussianBlur(mark, (0, 0), reach) * np.float32(1.6), 0, 1) * np.float32(HALO)


# Cached by height: the samples of a task are all of one size. Nobody writes into the result.
@lru_cache(maxsize=8)
def _draw_notice(height: int) -> Plane:
    """The words as coverage in [0, 1], with room around them for the halo."""
    font = ImageFont.load_default(size=height)
    left, top, right, bottom = (int(edge) for edge in font.getbbox(NOTICE))
    padding = max(2, height // 3)
    page = Image.new("L", (right - left + 2 * padding, bottom - top + 2 * padding), 0)
    ImageDraw.Draw(page).text((padding - left, padding - top), NOTICE, fill=255, font=font)
    return np.asarray(page, np.float32) / np.float32(255)


@lru_cache(maxsize=8)
def _draw_sign(height: int) -> Plane:
    """A rising brush stroke that leaves a ring, as coverage in [0, 1]."""
    side = height * OVERSAMPLING
    page = np.zeros((side, side), np.uint8)
    middle, radius = (side // 2, side // 2), round(side * 0.34)
    cv2.ellipse(page, middle, (radius, radius), -45, 28, 350, 255, max(2, side // 22), cv2.LINE_AA)
    for step in np.linspace(0, 1, 60):
        x = side * (0.30 + 0.52 * step)
        y = side * (0.66 - 0.50 * step + 0.10 * np.sin(step * np.pi * 1.5))
        cv2.circle(page, (round(x), round(y)), round(side * (0.075 - 0.058 * step)), 255, -1, cv2.LINE_AA)
    return cv2.resize(page, (height, height), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
