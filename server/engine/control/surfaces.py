"""Control maps made of areas: brightness, shuffle, tile, depth, normals and regions; RGB in, RGB of the same size out.

Depth and normals are guesses from one image without a trained network, and regions are no semantic classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import compute_luminance, make_cloud_noise, make_rng, resize, to_bytes, to_float
from atelier_mcp.server.engine.saliency import compute_saliency
from atelier_mcp.server.engine.style.marks import compute_unit, paint_dabs, smooth

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Array, Pixels

COLOURFIX_DIVISOR: Final = 24
"""How much an image is reduced to leave only its broad colours."""
REGIONS: Final = 9
REGION_SIDE: Final = 240
REGION_COLOURS: Final = np.array(
    [
        [6, 230, 230],
        [120, 120, 80],
        [4, 200, 3],
        [150, 5, 61],
        [235, 255, 7],
        [61, 230, 250],
        [255, 9, 224],
        [224, 5, 255],
        [255, 122, 8],
    ],
    np.uint8,
)
"""Flat, far apart colours for the regions from the top of the picture to the bottom; they name no class of things."""


def extract_brightness(image: Pixels) -> Pixels:
    """Lightness alone, its local contrast evened out."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.cvtColor(cv2.createCLAHE(1.5, (4, 4)).apply(grey), cv2.COLOR_GRAY2RGB)


def shuffle_colours(image: Pixels) -> Pixels:
    """The image warped by large smooth noise: palette and texture stay, forms go. Without a seed, as a map has none."""
    height, width = image.shape[:2]
    rng = make_rng("shuffle")
    # Waves of a third of the image: forms are lost, and patches of texture survive.
    cell = max(height, width) / 3
    x = (make_cloud_noise(rng, height, width, cell, octaves=1) * np.float32(1.3) - np.float32(0.15)) * width
    y = (make_cloud_noise(rng, height, width, cell, octaves=1) * np.float32(1.3) - np.float32(0.15)) * height
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def down_sample(image: Pixels, rate: float) -> Pixels:
    """The picture at ``1 / rate`` of its size and back: its detail blurred away; rate 1 is the picture itself."""
    height, width = image.shape[:2]
    small = resize(image, max(1, round(width / max(1.0, rate))), max(1, round(height / max(1.0, rate))))
    return resize(small, width, height)


def extract_colours(image: Pixels) -> Pixels:
    """Only the broad colours of the picture."""
    height, width = image.shape[:2]
    small = resize(image, max(1, width // COLOURFIX_DIVISOR), max(1, height // COLOURFIX_DIVISOR))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def extract_colours_and_edges(image: Pixels) -> Pixels:
    """The broad colours of the picture with its edges in grey laid over them."""
    grey = compute_luminance(image)
    detail = grey - smooth(grey, 12 * compute_unit(image))
    return to_bytes(to_float(extract_colours(image)) + detail[..., None])


def estimate_depth(image: Pixels) -> Pixels:
    """A guess at nearness, white near: what is salient and what is low in the frame counts as near.

    One image without a trained network says little about depth; the guess is a ramp from the top to the bottom, raised
    where a subject is salient or in focus, its borders laid along the image's edges by a guided filter.
    """
    height, width = image.shape[:2]
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    focus = smooth(np.abs(cv2.Laplacian(compute_luminance(image), cv2.CV_32F)), 14 * compute_unit(image))
    focus = np.clip(focus / np.float32(np.percentile(focus[::4, ::4], 98) + 1e-6), 0, 1)
    near = np.float32(0.40) * ramp + np.float32(0.06) * focus + np.float32(0.55) * compute_saliency(image)
    small_height, small_width = max(8, height // 2), max(8, width // 2)
    calm = paint_dabs(resize(image, small_width, small_height), max(1, round(4 * compute_unit(image))))
    coarse = resize(near.astype(np.float32), small_width, small_height)
    radius = max(2, round(18 * compute_unit(image)))
    followed = cv2.ximgproc.guidedFilter(calm, coarse, radius, 80.0)
    depth = cv2.resize(followed, (width, height), interpolation=cv2.INTER_LINEAR)
    # Over the whole range of grey whatever the picture: models read depth as relative.
    low, high = np.percentile(depth[::4, ::4], (1, 99))
    grey = np.clip((depth - low) / max(1e-3, float(high - low)), 0, 1)
    return cv2.cvtColor(to_bytes(grey), cv2.COLOR_GRAY2RGB)


def estimate_normals(image: Pixels) -> Pixels:
    """Surface normals of the guessed depth, with the relief of the picture's own shading, coded in RGB.

    Red is the slope to the right, green the slope upwards, blue towards the viewer; flat is (128, 128, 255).
    """
    scale = compute_unit(image)
    depth = compute_luminance(estimate_depth(image))
    fine = smooth(depth + np.float32(0.35) * compute_luminance(image), 2.5 * scale)
    # A pixel of slope counts the same at every size of the image.
    height_field = (fine * 26 + smooth(depth, 14 * scale) * 55) * np.float32(scale)
    across, down = cv2.Scharr(height_field, cv2.CV_32F, 1, 0) / 32, cv2.Scharr(height_field, cv2.CV_32F, 0, 1) / 32
    normals = np.dstack([-across, down, np.ones_like(across)])
    normals = normals / np.sqrt(cv2.transform(normals * normals, np.ones((1, 3), np.float32)))[..., None]
    return to_bytes(normals * np.float32(0.5) + np.float32(0.5))


def segment_regions(image: Pixels) -> Pixels:
    """Nine regions alike in colour and place, each in a flat colour of its own; they are not semantic classes."""
    height, width = image.shape[:2]
    scale = REGION_SIDE / max(height, width)
    small = resize(image, max(4, round(width * scale)), max(4, round(height * scale)))
    labels = cv2.medianBlur(_cluster_pixels(paint_dabs(paint_dabs(small, 3), 3)), 7)
    grown = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    even = cv2.medianBlur(grown, max(3, round(11 * compute_unit(image))) | 1)
    return REGION_COLOURS[even.astype(np.uint8)]


def _cluster_pixels(image: Pixels) -> Array:
    """For every pixel the number of its cluster in colour and place, counted from the top of the picture."""
    rows, columns = image.shape[:2]
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab).astype(np.float32)
    row, column = np.mgrid[0:rows, 0:columns].astype(np.float32)
    # Place counts as much as colour: the whole image is as wide as 60 steps of Lab.
    place = np.dstack([column, row]) * np.float32(60 / max(rows, columns))
    points = np.dstack([lab, place]).reshape(-1, 5).astype(np.float32)
    # k-means begins by chance: the same image must give the same regions.
    cv2.setRNGSeed(1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    cluster_count = min(REGIONS, len(points))
    start = np.zeros((len(points), 1), np.int32)
    _, found, centres = cv2.kmeans(points, cluster_count, start, criteria, 1, cv2.KMEANS_PP_CENTERS)
    # k-means numbers its clusters by chance; numbered by height, sky and ground keep their colours between images.
    order = np.argsort(np.argsort(centres[:, 4], kind="stable"), kind="stable")
    return order[found.astype(np.intp).ravel()].reshape(rows, columns).astype(np.uint8)
