"""Colour histograms of regions over a coarse grid in Lab: which colours a region has, and which it has not.

Erasing, outpainting and cut-outs ask it what does not belong to the surroundings of a hole or a box. It compares
colours alone, so an object coloured like its ground is not told apart. ``lab`` is OpenCV's 8-bit Lab,
``(height, width, 3)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, Plane

CELLS: Final = (24, 36, 36)
"""Fewer for lightness: a shadow on the same wall must not look like another colour."""
RANGE: Final = (-16, 272)
"""Wider than a byte, so that the outermost cells stay empty and `smooth_shares` cannot wrap black round to white."""
RARE: Final = 4e-4
"""The share of a region's pixels below which it does not have a colour."""


def compute_colour_shares(lab: Pixels, region: Mask) -> Array:
    """The share of the region's pixels (255 in ``region``) in each cell, ``float32``, ``CELLS`` in shape."""
    counts = cv2.calcHist([lab], [0, 1, 2], region, CELLS, RANGE * 3)
    return (counts / max(1, cv2.countNonZero(region))).astype(np.float32)


def smooth_shares(shares: Array) -> Array:
    """The shares spread into the neighbouring cells, one quarter to each side along every axis.

    Without it a colour at the border of a cell would be common and its nearest neighbour unheard of.
    """
    for axis in range(3):
        shares = np.float32(0.5) * shares + np.float32(0.25) * (np.roll(shares, 1, axis) + np.roll(shares, -1, axis))
    return shares


def find_foreign_colours(lab: Pixels, rim: Mask, *, share: float = 0.5) -> Mask:
    """255 where the image has colours that the rim has not: what continues the rim is not made of them.

    A pixel is foreign when more than ``share`` of the 7 x 7 pixels around it is.
    """
    rare = (look_up_shares(smooth_shares(compute_colour_shares(lab, rim)), lab) < RARE).astype(np.float32)
    return ((cv2.blur(rare, (7, 7)) > share) * 255).astype(np.uint8)


def look_up_shares(shares: Array, lab: Pixels) -> Plane:
    """For every pixel the share of its colour's cell, ``float32``, ``(height, width)``."""
    low, high = RANGE
    # Index arithmetic in bytes would overflow (255 * 24), so the channels are widened first.
    channels = (lab[..., channel].astype(np.intp) for channel in range(3))
    lightness, a, b = ((values - low) * cells // (high - low) for values, cells in zip(channels, CELLS, strict=True))
    return shares[lightness, a, b]


def compute_region_likelihood(lab: Pixels, region: Mask, around: Mask) -> Plane:
    """How much each pixel's colour belongs to the region rather than to what is around it, in [0, 1]."""
    within, outside = (smooth_shares(compute_colour_shares(lab, part)) for part in (region, around))
    return look_up_shares(within / (within + outside + np.float32(1e-6)), lab)
