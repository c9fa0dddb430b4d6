"""Building blocks of the styles: dabs, strokes, lines, hatching, paper grain and small palettes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import compute_luminance, make_cloud_noise, resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atelier_mcp.server.engine.pixels import Array, Pixels, Plane

REFERENCE_SIDE: Final = 960
"""Side in pixels of the square image that all stroke widths are given for."""
SECTORS: Final = 8
PALETTE_SIDE: Final = 96
"""k-means runs on so small a copy: the leading colours are the same, and the time does not depend on the image."""


class Flow(NamedTuple):
    """Unit vectors along the edges of an image, the direction of its brush strokes."""

    x: Plane
    y: Plane


def compute_unit(image: Array) -> float:
    """How many of its own pixels stand for one pixel of a 960 x 960 image, by area."""
    height, width = image.shape[:2]
    return float(np.sqrt(height * width)) / REFERENCE_SIDE


def paint_dabs(image: Pixels, radius: int) -> Pixels:
    """The RGB image in flat dabs with crisp borders: a generalised Kuwahara filter with eight sectors.

    Every pixel takes the means of the eight neighbourhoods around it, each weighted by how even it is.
    """
    values = image.astype(np.float32)
    window = (radius + 1, radius + 1)
    mean = cv2.blur(values, window)
    variances = cv2.blur(values * values, window) - mean * mean
    spread = np.maximum(cv2.transform(variances, np.ones((1, 3), np.float32)), 0) / np.float32(255)
    # The fourth power picks nearly one sector where they differ, and mixes them where they are alike.
    weight = 1 / (1 + np.square(np.square(spread)))
    weighted = cv2.merge([mean * weight[..., None], weight])
    height, width = image.shape[:2]
    padded = cv2.copyMakeBorder(weighted, radius, radius, radius, radius, cv2.BORDER_REFLECT)
    total = np.zeros_like(weighted)
    for sector in range(SECTORS):
        angle = 2 * np.pi * sector / SECTORS
        x, y = (radius + round(float(along(angle)) * radius * 0.75) for along in (np.cos, np.sin))
        total += padded[y : y + height, x : x + width]
    return np.clip(total[..., :3] / total[..., 3:], 0, 255).astype(np.uint8)


def compute_edge_flow(image: Pixels, *, calm: float) -> Flow:
    """Directions along the image's edges, from its structure tensor smoothed over ``calm`` pixels.

    The tensor and not the gradient is smoothed: the gradients of both sides of a line would cancel.
    """
    grey = cv2.GaussianBlur(compute_luminance(image), (0, 0), 2)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    xx, xy, yy = (smooth(product, calm) for product in (across * across, across * down, down * down))
    angle = np.float32(0.5) * np.arctan2(2 * xy, xx - yy) + np.float32(np.pi / 2)
    return Flow(np.cos(angle), np.sin(angle))


def smear(values: Array, flow: Flow, *, steps: int, stride: float) -> Array:
    """Line integral convolution: values averaged along the flow, ``steps`` samples of ``stride`` pixels each way."""
    height, width = values.shape[:2]
    column, row = make_pixel_grid(height, width)
    total = values.astype(np.float32)
    for side in (stride, -stride):
        x, y = column.copy(), row.copy()
        for _ in range(steps):
            x += np.float32(side) * flow.x
            y += np.float32(side) * flow.y
            total += cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return total / np.float32(2 * steps + 1)


def make_pixel_grid(height: int, width: int) -> tuple[Plane, Plane]:
    """The column and the row of every pixel, as floats."""
    row, column = np.mgrid[0:height, 0:width].astype(np.float32)
    return column, row


def smooth(plane: Plane, sigma: float) -> Plane:
    """A Gaussian blur; wide ones are made on a smaller plane, where they cost as little as narrow ones."""
    step = int(sigma // 4)
    if step < 2:
        return cv2.GaussianBlur(plane, (0, 0), sigma)
    height, width = plane.shape[:2]
    small = resize(plane, max(1, width // step), max(1, height // step))
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / step), (width, height), interpolation=cv2.INTER_LINEAR)


def draw_lines(image: Pixels, sigma: float, *, threshold: float) -> Plane:
    """The lines a draughtsman would draw: 0 on a line, 1 off it.

    A band-pass of the lightness takes only the dark side of an edge, so that dark areas stay free of line work;
    thresholding (XDoG) made black blobs of them. ``sigma`` is the line's width in pixels.
    """
    lightness = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)[..., 0]
    evened = cv2.createCLAHE(1.5, (8, 8)).apply(lightness).astype(np.float32) / np.float32(255)
    band = cv2.GaussianBlur(evened, (0, 0), sigma * 1.7) - cv2.GaussianBlur(evened, (0, 0), sigma)
    depth = np.maximum(band, 0)
    depth = depth / np.float32(np.percentile(depth[::2, ::2], 99.2) + 1e-6)
    return 1 - np.clip((depth - threshold) / (1 - threshold), 0, 1)


def draw_hatching(rng: np.random.Generator, height: int, width: int, *, angle: float, length: float) -> Plane:
    """Strokes of one direction (``angle`` in radians) and about ``length`` pixels, in [0, 1] around 0.5."""
    side = int(np.hypot(height, width)) + 2
    strokes = cv2.blur(rng.random((side, side), dtype=np.float32), (max(9, int(length)) | 1, 1))
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(np.degrees(angle)), 1.0)
    turn[:, 2] += (width / 2 - side / 2, height / 2 - side / 2)
    turned = cv2.warpAffine(strokes, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    mean, deviation = cv2.meanStdDev(turned)
    return np.clip((turned - mean[0, 0]) / (deviation[0, 0] + 1e-6) * 0.5 + 0.5, 0, 1).astype(np.float32)


def make_paper_grain(rng: np.random.Generator, height: int, width: int, *, depth: float, cell: float) -> Array:
    """The grain of drawing paper as a factor around 1, ``(height, width, 1)``: noise lit from a corner."""
    slope = cv2.Sobel(make_cloud_noise(rng, height, width, cell, octaves=3), cv2.CV_32F, 1, 1, ksize=3)
    deviation = float(cv2.meanStdDev(slope)[1][0, 0])
    return np.clip(1 + np.float32(depth) * slope / np.float32(deviation * 3 + 1e-6), 0.7, 1.2)[..., None]


def extract_palette(image: Pixels, colours: int) -> Array:
    """The image's ``colours`` leading colours as Lab floats in OpenCV's 8-bit scale, ``(colours, 3)``, by k-means."""
    small = resize(image, PALETTE_SIDE, PALETTE_SIDE)
    points = cv2.cvtColor(small, cv2.COLOR_RGB2Lab).reshape(-1, 3).astype(np.float32)
    # k-means takes its first centres from a generator shared by all of OpenCV.
    cv2.setRNGSeed(1)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.5)
    start = np.zeros((len(points), 1), np.int32)
    _, _, centres = cv2.kmeans(points, colours, start, criteria, 2, cv2.KMEANS_PP_CENTERS)
    return centres


def find_nearest_colours(lab: Array, colours: Array) -> NDArray[np.uint8]:
    """Index of the nearest of the ``colours`` for every pixel."""
    flat = lab.reshape(-1, 3).astype(np.float32)
    # The square of the pixel is the same for all colours, so the nearest has the greatest product less half its square.
    nearness = flat @ colours.T - 0.5 * np.square(colours).sum(axis=1)
    return nearness.argmax(axis=1).astype(np.uint8).reshape(lab.shape[:2])


def saturate(image: Pixels, factor: float) -> Pixels:
    """The RGB image with its colours ``factor`` times as far from grey, at the same lightness (Lab)."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
    curve = np.clip((np.arange(256, dtype=np.float32) - 128) * factor + 128.5, 0, 255).astype(np.uint8)
    even = np.arange(256, dtype=np.uint8)
    return cv2.cvtColor(cv2.LUT(lab, np.dstack([even, curve, curve])), cv2.COLOR_Lab2RGB)
