"""Put something new where an image is marked: the area is filled from around it, then a painted element set in.

The element comes from the painter (RGBA); its lightness, tint and grain are moved towards what is around the mask.
That makes a collage, not a photograph: shadows, reflections and perspective are not the image's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from atelier_mcp.server.engine.erase import add_margin, feather, refill
from atelier_mcp.server.engine.fill import grow_mask
from atelier_mcp.server.engine.pixels import (
    Colours,
    Mask,
    Pixels,
    blend,
    clean_mask,
    make_rng,
    resize,
    scale_to_cover,
    to_bytes,
    to_float,
)

LIGHT_MATCH: Final = 0.5
"""How far the element's mean lightness moves to that of its surroundings."""
TINT_MATCH: Final = 0.3
"""How far its mean hue does: enough to share the light, not so far as to lose its colour."""
LEAST_CONTRAST: Final = 0.7
"""How far the element's contrast sinks at most in a quiet place."""
INSIDE_SHARE: Final = 0.96
"""An element shrinks until this share of it lies inside the mask."""
SCALES: Final = (1.0, 0.92, 0.84, 0.76, 0.68, 0.6)
BOX_FILL_SHARE: Final = 0.9
"""A mask that fills its box so far is a box: an element stands on its floor instead of hanging in its middle."""
OPAQUE: Final = 250
"""An element whose every alpha is above this is a scene, which covers the box, and no thing to be fitted into it."""
RING_SHARE: Final = 0.25
"""Width of the ring whose colours are matched, as a share of the mask's extent."""
MOST_GRAIN: Final = 8.0
"""Byte steps; what is measured beyond that is texture, such as foliage, and no grain."""


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """A mask's bounding box."""

    left: int
    top: int
    width: int
    height: int


def inpaint(
    image: Pixels, mask: Mask, *, element: Pixels | None, strength: float, seed: int, keeps_light: bool = False
) -> Pixels:
    """The RGB image with its marked area (255) made anew: filled from around it, the RGBA element set into it.

    The element is scaled into the mask's bounding box in its proportions (one without transparency is a scene and
    covers it), and its lightness, tint and grain are moved towards those around the mask. With ``keeps_light`` only
    the grain is: a night sky is to be dark in a picture by day. ``strength`` in [0.1, 1] blends from the old content
    to the new. Nothing outside of the mask changes.

    Raises:
        ValueError: the mask is empty, covers all or has another size, the strength is out of range, or the element
            has no alpha.
    """
    area = clean_mask(image, mask)
    if not 0.1 <= strength <= 1:
        raise ValueError(f"strength must lie between 0.1 and 1, not {strength}")
    # The old content is removed even under an opaque element: the element seldom fills the mask. With a margin, which
    # does not come into the result, so that no rim of it is copied.
    ground = refill(image, add_margin(area), seed=seed).image
    if element is not None:
        ground = _set_element(ground, area, element, seed=seed, keeps_light=keeps_light)
    return blend(image, ground, feather(area) * np.float32(strength))


def _set_element(ground: Pixels, area: Mask, element: Pixels, *, seed: int, keeps_light: bool) -> Pixels:
    """The element laid on the filled ground inside the area."""
    if element.ndim != 3 or element.shape[2] != 4:
        raise ValueError("the element needs an alpha channel: RGBA, height x width x 4")
    if not element[..., 3].any():
        return ground
    box = BoundingBox(*cv2.boundingRect(area))
    # Everything below works in the window of the mask; the rest of the image is never touched.
    window = np.s_[box.top : box.top + box.height, box.left : box.left + box.width]
    is_scene = element[..., 3].min() > OPAQUE
    placed_element = (
        scale_to_cover(element, box.width, box.height) if is_scene else _place_element(element, area[window], box)
    )
    alpha = placed_element[..., 3].astype(np.float32) / np.float32(255) * feather(np.ascontiguousarray(area[window]), 2)
    colours = placed_element[..., :3]
    if not keeps_light:
        colours = _match_colours(colours, alpha, _collect_surroundings(ground, area))
    grainy = _add_grain(colours, _measure_grain(ground[window]), seed=seed)
    out = ground.copy()
    out[window] = blend(ground[window], grainy, alpha)
    return out


def _crop_to_opaque(element: Pixels) -> Pixels:
    """The element without its transparent border."""
    left, top, width, height = cv2.boundingRect((element[..., 3] > 0).astype(np.uint8))
    return element[top : top + height, left : left + width]


def _place_element(element: Pixels, area: Mask, box: BoundingBox) -> Pixels:
    """The element in a transparent plane of the box's size, as large as the mask's shape allows."""
    cropped = _crop_to_opaque(element)
    is_box = cv2.countNonZero(area) > BOX_FILL_SHARE * area.size
    # From large to small: the first that fits is the largest that does.
    for scale in SCALES:
        plane = _scale_element(cropped, box, scale=scale, on_floor=is_box)
        if _compute_share_inside(plane, area) >= INSIDE_SHARE:
            return plane
    return _scale_element(cropped, box, scale=min(SCALES), on_floor=is_box)


def _compute_share_inside(plane: Pixels, area: Mask) -> float:
    """The share of the element's solid pixels that lies inside the area."""
    # Soft edges may reach over the mask: there they are cut by its feather.
    solid = plane[..., 3] > 127
    return np.count_nonzero(solid & (area > 0)) / max(1, np.count_nonzero(solid))


def _scale_element(element: Pixels, box: BoundingBox, *, scale: float, on_floor: bool) -> Pixels:
    """The element at a share of the largest size the box holds, in its middle or on its floor."""
    height, width = element.shape[:2]
    fit = scale * min(box.width / width, box.height / height)
    size = max(1, min(box.width, round(width * fit))), max(1, min(box.height, round(height * fit)))
    left = (box.width - size[0]) // 2
    top = box.height - size[1] if on_floor else (box.height - size[1]) // 2
    plane = np.zeros((box.height, box.width, 4), np.uint8)
    plane[top : top + size[1], left : left + size[0]] = resize(element, *size)
    return plane


def _collect_surroundings(ground: Pixels, area: Mask) -> Colours:
    """The colours of a ring round the mask, as a list of pixels; all of the ground if there is no ring."""
    reach = max(8, round(RING_SHARE * float(np.sqrt(cv2.countNonZero(area)))))
    ring = cv2.subtract(grow_mask(area, reach), area) > 0
    return to_float(ground[ring] if ring.any() else ground.reshape(-1, 3))


def _match_colours(colours: Pixels, alpha: Colours, around: Colours) -> Pixels:
    """The element's colours moved towards the light and tint around it (Reinhard colour transfer, in part).

    In full, a red boat on blue water would turn grey.
    """
    lab = cv2.cvtColor(to_float(colours), cv2.COLOR_RGB2LAB)
    # Of a thin element hardly anything is solid; then all of it is measured.
    own = lab[alpha > 0.5] if (alpha > 0.5).any() else lab.reshape(-1, 3)
    other = cv2.cvtColor(around[None], cv2.COLOR_RGB2LAB)[0]
    mean, target = own.mean(axis=0), other.mean(axis=0)
    ratio = float((other[:, 0].std() + 12) / (own[:, 0].std() + 12))  # a quiet place calms the element a little
    lab[..., 0] = mean[0] + (lab[..., 0] - mean[0]) * float(np.clip(ratio, LEAST_CONTRAST, 1))
    lab += (target - mean) * np.array([LIGHT_MATCH, TINT_MATCH, TINT_MATCH], np.float32)
    lab[..., 0] = np.clip(lab[..., 0], 0, 100)
    toned: Colours = np.asarray(lab, np.float32)
    return to_bytes(cv2.cvtColor(toned, cv2.COLOR_LAB2RGB))


def _measure_grain(window: Pixels) -> float:
    """The standard deviation of the window's noise, in byte steps.

    Immerkaer's estimator (1996): a mask that cancels flat and sloping ground. By the median, so that edges do not
    count: 0.6745 is the median of a normal distribution's absolute value, 6 the norm of the mask.
    """
    grey = cv2.cvtColor(window, cv2.COLOR_RGB2GRAY).astype(np.float32)
    response = cv2.filter2D(grey, cv2.CV_32F, np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32))
    return min(MOST_GRAIN, float(np.median(np.abs(response))) / (0.6745 * 6))


def _add_grain(colours: Pixels, deviation: float, *, seed: int) -> Pixels:
    """The colours with grain of that strength, the same in all three channels."""
    # Grey grain: the noise of a photograph is mostly in its lightness.
    noise = make_rng("grain", seed).normal(0, deviation, colours.shape[:2])[..., None]
    return np.clip(colours + noise + 0.5, 0, 255).astype(np.uint8)
