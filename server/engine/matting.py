"""From a hard cut at working size to a soft alpha at full size, and foreground colours without the background's.

The edge is softened only in a narrow band along the cut, by a guided filter that follows the image's own edges and by
each pixel's place between the two sides' colours; elsewhere alpha stays 0 or 255. A filter over the whole image would
give halos and holes. Then the background's share is taken out of the colours in the soft band, so that the cut-out can
be laid on any ground. Hair finer than the band stays rough.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import Array, Colours, Mask, Pixels, Plane, resize, to_bytes, to_float

MATTE_PX: Final = 1600
"""The longest side edges are softened at: the colour guided filter needs some 200 bytes a pixel, so that 2048 x 2048
would take 800 MB."""
GUIDE_EPSILON: Final = 0.65
"""Variance of colour, in squared byte steps, below which the guided filter smooths: only real edges shape the alpha."""
BAND_PX: Final = 3
"""Half the width, at working size, of the band along the edge in which alpha may be soft."""
FAINTEST: Final = 0.12
FULLEST: Final = 0.9
"""Alpha between these is spread over the whole range: what is nearly background becomes none and what is nearly subject
all of it, since on another ground either would show as a veil."""
BESIDE_PX: Final = 7
"""How far beside a pixel, at working size, the colours of the two sides are looked for."""
SPREAD_WEIGHT: Final = np.float32(10)
"""How much a side's own variation counts against the reading of alpha from colours."""
WIDE_BLUR: Final = 30 / 512
"""Of the longest side; the published method uses a blur of 90 pixels and one of 6 on images of megapixels."""
NARROW_BLUR_PX: Final = 6


def compute_soft_alpha(image: Pixels, cut: Mask) -> Mask:
    """The alpha plane of a cut: ``uint8`` at the RGB image's size, soft along the image's own edges, hard elsewhere.

    ``cut`` is 0 and 255 at working size (`grabcut.WORK_PX`).
    """
    height, width = image.shape[:2]
    matte = min(1.0, MATTE_PX / max(height, width))
    size = max(1, round(width * matte)), max(1, round(height * matte))
    guide = image if matte == 1.0 else resize(image, *size)
    # How many pixels of the matte one pixel of the cut is; every radius grows with it.
    zoom = size[0] / cut.shape[1]
    rough = cv2.resize(cut.astype(np.float32) / np.float32(255), size, interpolation=cv2.INTER_LINEAR)
    rough = cv2.GaussianBlur(rough, (0, 0), max(0.8, 0.5 * zoom))
    centred = guide.astype(np.float32) - np.float32(128)  # large means cost the filter its precision, up to NaN
    guided = cv2.ximgproc.guidedFilter(centred, rough, max(3, round(2.5 * zoom)), GUIDE_EPSILON)
    guided = np.where(np.isfinite(guided), guided, rough)  # centring helps, but does not rule NaN out
    mixed, trust = _estimate_mixture(to_float(guide), cut, zoom)
    # Two readings of the same edge: by the image's own edges, and by colours where those tell the sides apart.
    edge = guided + trust * (mixed - guided)
    alpha = np.where(_find_edge_band(cut, size) > 0, edge, rough)
    alpha = to_bytes((alpha - np.float32(FAINTEST)) / np.float32(FULLEST - FAINTEST))
    return alpha if matte == 1.0 else cv2.resize(alpha, (width, height), interpolation=cv2.INTER_CUBIC)


def decontaminate(image: Pixels, alpha: Mask) -> Pixels:
    """The foreground's own colours, RGB ``uint8``: where alpha is soft, the background's share is taken out of them.

    Blur-fusion foreground estimation (M. Forte, 2021) in two passes: the first finds the colours of both sides from
    a wide blur, the second refines them from a narrow one. Where alpha is 255 the image is unchanged.
    """
    height, width = image.shape[:2]
    scale = min(1.0, MATTE_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    colours = to_float(image if scale == 1.0 else resize(image, *size))
    share = to_float(alpha if scale == 1.0 else resize(alpha, *size))[..., None]
    # On a small image the share would be too narrow to reach beyond the soft edge.
    wide = max(15, round(WIDE_BLUR * max(size)))
    front, back = _estimate_sides(colours, colours, share, ground=colours, blur_px=wide)
    front, _ = _estimate_sides(colours, front, share, ground=back, blur_px=NARROW_BLUR_PX)
    estimate = to_bytes(front)
    if scale < 1.0:
        estimate = cv2.resize(estimate, (width, height), interpolation=cv2.INTER_CUBIC)
    # What is wholly subject keeps its bytes; only the edge is an estimate.
    return np.where((alpha == 255)[..., None], image, estimate)


def _estimate_sides(
    colours: Colours, front: Colours, share: Array, *, ground: Colours, blur_px: int
) -> tuple[Colours, Colours]:
    """One pass: blurred colours of both sides, the front corrected so that the two compose to the picture."""
    window = (blur_px, blur_px)
    weight = cv2.blur(share, window)[..., None]
    least = np.float32(1e-5)  # rounding in the blur can carry a weight a little beyond 1
    mean_front = cv2.blur(front * share, window) / np.maximum(weight, least)
    mean_back = cv2.blur(ground * (1 - share), window) / np.maximum(1 - weight, least)
    # What the two blurred sides do not explain belongs to the front, by its share.
    residue = colours - share * mean_front - (1 - share) * mean_back
    return np.clip(mean_front + share * residue, 0, 1), mean_back


def _estimate_mixture(colours: Colours, cut: Mask, zoom: float) -> tuple[Plane, Plane]:
    """Alpha read from each pixel's place between the colours deep inside and far outside, and trust in that reading.

    The reading is good where the two sides differ more than each varies in itself.
    """
    brush = np.ones((2 * BAND_PX + 1, 2 * BAND_PX + 1), np.uint8)
    sides = (cv2.erode(cut, brush), cv2.bitwise_not(cv2.dilate(cut, brush)))
    reach = 2 * round(BESIDE_PX * zoom) + 1
    window = (reach, reach)
    means: list[Colours] = []
    spread: Plane = np.full(colours.shape[:2], 1e-3, np.float32)
    for side in sides:
        share = (cv2.resize(side, colours.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0).astype(np.float32)
        weight = np.maximum(cv2.blur(share, window), np.float32(1e-4))[..., None]
        mean = cv2.blur(colours * share[..., None], window) / weight
        power = cv2.blur(np.square(colours) * share[..., None], window) / weight
        means.append(mean)
        spread = spread + np.maximum(power - np.square(mean), 0).sum(axis=2)
    across = means[0] - means[1]
    length = np.maximum(np.square(across).sum(axis=2), np.float32(1e-4))
    mixed = np.clip(((colours - means[1]) * across).sum(axis=2) / length, 0, 1)
    return mixed, length / (length + SPREAD_WEIGHT * spread)


def _find_edge_band(cut: Mask, size: tuple[int, int]) -> Mask:
    """Where alpha may be soft, at that size."""
    brush = np.ones((2 * BAND_PX + 1, 2 * BAND_PX + 1), np.uint8)
    band = cv2.subtract(cv2.dilate(cut, brush), cv2.erode(cut, brush))
    return cv2.resize(band, size, interpolation=cv2.INTER_NEAREST)
