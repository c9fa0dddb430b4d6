"""Enlarge an RGB image up to three times without inventing detail.

The brightness is enlarged by Lanczos and corrected until, made small again, it is the original (iterative back
projection); then smoothed along edges, which takes their stairs away, corrected once more, and kept between the
darkest and the brightest original pixel near by, so that no halo appears. Colour, which the eye sees less sharply,
is enlarged by Lanczos alone. Crisper than bicubic and free of halos, but measured on eight photographs only a little
closer to the truth: 30.5 against 30.2 dB PSNR at twice the size. `cv2.detailEnhance` looks sharp and is far from it
(25.5 dB).

Work is done in tiles that overlap by more than anything in it reaches, so that the memory it takes hardly depends on
the size of the image; without tiles, 960 pixels enlarged by three took more than a gigabyte.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atelier_mcp.server.engine.pixels import Pixels, Plane

LARGEST_RATIO: Final = 3.0
TILE: Final = 256
OVERLAP: Final = 20
"""Both in pixels of the original; less overlap would show as seams."""

FIRST_CORRECTIONS: Final = 3
LAST_CORRECTIONS: Final = 2
LAST_STEP: Final = 0.8
"""The last corrections bring back part of the stairs that smoothing took, so they stop short of the whole error."""
SMOOTHING: Final = 0.7
SHARPENING: Final = 0.25
"""Costs 0.15 dB and looks better; the photographs it was chosen on are those it was measured on."""
SLACK: Final = 2
"""How many levels beyond the originals' range a pixel may go, so that flat ground keeps its grain."""


def upscale(image: Pixels, ratio: float) -> Pixels:
    """The RGB image at ``ratio`` times its size, 1 < ratio <= 3, each side rounded.

    Raises:
        ValueError: the ratio is out of range.
    """
    if not 1 < ratio <= LARGEST_RATIO:
        raise ValueError(f"The ratio is {ratio:g}; it has to be above 1 and at most {LARGEST_RATIO:g}.")
    # Back projection needs a whole factor; what is too large is then averaged down.
    factor = math.ceil(ratio)
    enlarged = enlarge(image, factor)
    if factor == ratio:
        return enlarged
    height, width = image.shape[:2]
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    return cv2.resize(enlarged, size, interpolation=cv2.INTER_AREA)


def enlarge(image: Pixels, factor: int) -> Pixels:
    """The RGB image at a whole multiple of its size, worked out in tiles of at most ``TILE`` pixels a side."""
    height, width = image.shape[:2]
    result = np.empty((height * factor, width * factor, 3), np.uint8)
    for top, bottom in _split_spans(height, TILE):
        for left, right in _split_spans(width, TILE):
            above, before = max(0, top - OVERLAP), max(0, left - OVERLAP)
            around = image[above : bottom + OVERLAP, before : right + OVERLAP]
            y, x = (top - above) * factor, (left - before) * factor
            rows, columns = (bottom - top) * factor, (right - left) * factor
            enlarged_tile = _enlarge_tile(around, factor)[y : y + rows, x : x + columns]
            result[top * factor : bottom * factor, left * factor : right * factor] = enlarged_tile
    return result


def _split_spans(length: int, most: int) -> Iterator[tuple[int, int]]:
    """Begin and end of equal parts of the length, none longer than ``most``."""
    # Equal parts: a last tile of a few pixels would have nothing around it.
    count = math.ceil(length / most)
    for index in range(count):
        yield index * length // count, (index + 1) * length // count


def _enlarge_tile(image: Pixels, factor: int) -> Pixels:
    height, width = image.shape[:2]
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    size = width * factor, height * factor
    enlarged = cv2.resize(colours, size, interpolation=cv2.INTER_LANCZOS4)
    # YCrCb and not Lab: its lightness is linear in the bytes that are averaged.
    light = _enlarge_light(colours[..., 0].astype(np.float32), factor)
    enlarged[..., 0] = np.clip(light + 0.5, 0, 255).astype(np.uint8)
    return cv2.cvtColor(enlarged, cv2.COLOR_YCrCb2RGB)


def _enlarge_light(light: Plane, factor: int) -> Plane:
    height, width = light.shape
    size = width * factor, height * factor
    darkest, brightest = _compute_range(light, size)
    result = cv2.resize(light, size, interpolation=cv2.INTER_LANCZOS4)
    # The last corrections come after the smoothing, as it moves the averages away from the original again.
    result = _correct(result, light, times=FIRST_CORRECTIONS, step=1.0)
    result = _smooth_along_edges(result, factor)
    result = _correct(result, light, times=LAST_CORRECTIONS, step=LAST_STEP)
    result = np.clip(result, darkest, brightest)
    return np.clip(_sharpen(result, factor), darkest, brightest)


def _compute_range(light: Plane, size: tuple[int, int]) -> tuple[Plane, Plane]:
    """The lowest and the highest value each enlarged pixel may take."""
    near = np.ones((3, 3), np.uint8)
    darkest = cv2.resize(cv2.erode(light, near), size, interpolation=cv2.INTER_NEAREST)
    brightest = cv2.resize(cv2.dilate(light, near), size, interpolation=cv2.INTER_NEAREST)
    return darkest - SLACK, brightest + SLACK


def _correct(enlarged: Plane, original: Plane, *, times: int, step: float) -> Plane:
    """The enlarged plane changed so that its area averages come closer to the original."""
    size = enlarged.shape[1], enlarged.shape[0]
    small = original.shape[1], original.shape[0]
    for _ in range(times):
        # By area, as a sensor averages: the enlarged image must reduce to the original.
        missing = original - cv2.resize(enlarged, small, interpolation=cv2.INTER_AREA)
        enlarged = enlarged + step * cv2.resize(missing, size, interpolation=cv2.INTER_CUBIC)
    return enlarged


def _smooth_along_edges(light: Plane, factor: int) -> Plane:
    """Averages along edges, by the structure tensor; flat and rough places, which have no direction, stay."""
    across, down = cv2.Sobel(light, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(light, cv2.CV_32F, 0, 1) / 8
    xx, xy, yy = (cv2.GaussianBlur(product, (0, 0), factor) for product in (across**2, across * down, down**2))
    directed = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
    share = np.clip((directed / (xx + yy + 4)) ** 1.5, 0, 1) * SMOOTHING
    # Across the gradient is along the edge.
    angle = np.arctan2(2 * xy, xx - yy) / 2 + np.pi / 2
    step_x, step_y = np.cos(angle) * (factor / 2), np.sin(angle) * (factor / 2)
    rows, columns = np.indices(light.shape, np.float32)
    total = light.copy()
    for steps in (-1, -0.5, 0.5, 1):
        x, y = columns + steps * step_x, rows + steps * step_y
        total += cv2.remap(light, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return light + share * (total / 5 - light)


def _sharpen(light: Plane, factor: int) -> Plane:
    """Contrast raised where there is some; noise, which has little, hardly gains."""
    detail = light - cv2.GaussianBlur(light, (0, 0), 0.55 * factor)
    strength = np.abs(detail)
    return light + SHARPENING * strength / (strength + 3) * detail
