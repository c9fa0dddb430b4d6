"""Day for night: turn an RGB image taken by day into one by night.

Light is taken away in linear light and made bluer, lamps keep their colour and get a glow, and where a sky is found it
turns dark blue, with stars and perhaps a moon in it. A palette transfer like `repaint`'s leaves highlights too bright
for a night, hence this module. The sky is found by smoothness and colour from the upper edge: a blue wall may pass
for one, and a sky behind branches is missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.paint.canvas import Canvas
from atelier_mcp.server.engine.paint.sky import paint_moon, paint_stars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atelier_mcp.server.engine.pixels import Array, Colours, Mask, Pixels, Plane
    from atelier_mcp.server.engine.prompt import Prompt

STOPS: Final = 2.9
"""How many times the light is halved at full strength (photographic stops)."""
HIGHLIGHT_SHARE: Final = 0.5
"""How much more than that the highlights lose: there is no sun on them any more."""
MOONLIGHT: Final = (0.54, 0.8, 1.4)
"""Factors for red, green and blue."""
COLOUR_LOSS: Final = 0.6
"""How far colours go to grey: at night eyes see little of them."""
STARS_FROM: Final = 0.6
"""The strength from which on things appear in the sky."""
SKY_PX: Final = 192
SMOOTH: Final = 26.0
"""The slope, in byte steps over two pixels of the reduced picture, that ends a sky; the edges of clouds are below."""
LEAST_SKY: Final = 0.08
"""Of the image: a smaller smooth region at the top is something else."""
BLUE_BELOW: Final = 125.0
"""Of Lab's b in a byte: a sky leans to blue, a wall does not."""
SKY_NIGHT: Final = ((0.012, 0.022, 0.075), (0.07, 0.11, 0.23))
"""Zenith and horizon."""
LAMP: Final = 0.82
"""How bright, of 1, a light is at least."""
LAMP_SHARE: Final = 0.03
"""Of the longer side: no light is wider."""
SUN: Final = 0.93
"""Brightness of the darkest channel above which a place in the sky is the sun."""
DARKER: Final = 14.0
"""Of 8-bit lightness: what is this much darker than the darkest part of the upper sky is no sky."""
WARMER: Final = 12.0
"""Of 8-bit b: what is this much yellower than the upper sky is no sky."""
THING: Final = (0.05, 0.12)
"""The contrast with its surroundings from which a thing before the sky shows, and at which it is all thing."""
DAYLIGHT: Final = 0.4
"""The mean brightness of a picture that needs all the darkening there is; a dark one needs less."""


def apply_night(image: Pixels, prompt: Prompt, *, strength: float, seed: int) -> Pixels:
    """The RGB image by night, the more the higher ``strength`` in [0, 1]; 0 changes nothing.

    Where there is a sky it darkens most, clouds and all, and from a strength of 0.6 on stars come out, and the moon if
    the prompt has one: where the sun stood, or where the sky is widest.
    """
    day = image.astype(np.float32) / np.float32(255)
    # Before the light is taken away: in the dark picture nothing is bright enough to be a lamp.
    lamps = find_lamps(day)
    night = _apply_moonlight(day, strength)
    sky = find_sky(image)
    if sky.any():
        night = _darken_sky(day, night, sky, strength)
        if strength >= STARS_FROM:
            night = _add_stars_and_moon(day, night, sky, prompt, seed)
    night = _add_lamps(day, night, lamps, strength)
    return (np.clip(night, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _apply_moonlight(day: Colours, strength: float) -> Colours:
    """Less light, less colour, and a bluish tint; floats in [0, 1] in and out."""
    # Halving light means halving it in linear light; 2.2 is near enough to the sRGB curve.
    light = day ** np.float32(2.2)
    luminance = light @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    # A picture that is dark already would turn black.
    bright = np.clip(day.mean() / DAYLIGHT, 0.2, 1)
    exposure = np.float32(2.0 ** (-STOPS * strength * bright))
    rolled = 1 / (1 + np.float32(HIGHLIGHT_SHARE * strength * 3) * luminance)
    pale = light + (luminance[..., np.newaxis] - light) * np.float32(COLOUR_LOSS * strength)
    tint = 1 + (np.array(MOONLIGHT, np.float32) - 1) * np.float32(strength)
    dimmed: Colours = np.clip(pale * tint * (exposure * rolled)[..., np.newaxis], 0, 1)
    return dimmed ** np.float32(1 / 2.2)


def find_lamps(day: Colours) -> Plane:
    """Where small bright warm lights are, 0 to 1, in an image of floats in [0, 1].

    Small: by the top-hat, what an opening takes away. Warm: redder than blue, so that white clouds do not count.
    """
    bright = day.max(axis=2)
    # Odd, as a brush needs a middle.
    side = max(3, int(LAMP_SHARE * max(bright.shape)) | 1)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    small = bright - cv2.morphologyEx(bright, cv2.MORPH_OPEN, brush)
    warm = np.clip((day[..., 0] - day[..., 2] - np.float32(0.06)) * 4, 0, 1)
    # The middle of a lamp is white: its warm rim is spread over it.
    warm = cv2.dilate(warm, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side // 3 | 1, side // 3 | 1)))
    lit: Plane = np.clip((bright - LAMP) / np.float32(1 - LAMP), 0, 1) * np.clip((small - 0.3) * 4, 0, 1) * warm
    return cv2.GaussianBlur(lit, (0, 0), max(0.6, side / 12))


def _add_lamps(day: Colours, night: Colours, lamps: Plane, strength: float) -> Colours:
    """Lights keep their colour, and their glow shows now that it is dark."""
    if not lamps.any():
        return night
    kept = night + (day - night) * np.clip(lamps * 1.6, 0, 1)[..., np.newaxis]
    reach = 0.018 * max(lamps.shape)
    halo = cv2.GaussianBlur(day * lamps[..., np.newaxis], (0, 0), reach) * np.float32(2.2 * strength)
    # Screen blending: light added to light, without clipping.
    return 1 - (1 - np.clip(kept, 0, 1)) * (1 - np.clip(halo * np.array([1.0, 0.85, 0.6], np.float32), 0, 1))


def find_sky(image: Pixels) -> Plane:
    """How far each pixel is sky, 0 to 1: the smooth, bluish region that touches the upper edge; all 0 without one.

    Found on a small copy; a guided filter lays its border along the image's own edges, and thin things before the sky
    (by the top-hats) are taken out of it.
    """
    height, width = image.shape[:2]
    scale = min(1.0, SKY_PX / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab)
    region = _find_sky_region(lab)
    share = float((region > 0).mean())
    if share < LEAST_SKY or float(lab[..., 2][region > 0].mean()) > BLUE_BELOW:
        return np.zeros((height, width), np.float32)
    soft = cv2.resize(region.astype(np.float32) / np.float32(255), (width, height), interpolation=cv2.INTER_LINEAR)
    guide = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
    # As wide as twigs and wires are in a photograph.
    radius = max(2, round(max(height, width) * 0.012))
    sky: Plane = np.clip(cv2.ximgproc.guidedFilter(guide, soft, radius, 1e-4), 0, 1)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * radius + 1, 4 * radius + 1))
    contrast = np.maximum(*(cv2.morphologyEx(guide, how, brush) for how in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT)))
    before: Plane = np.clip((THING[1] - contrast) / np.float32(THING[1] - THING[0]), 0, 1)
    return sky * before


def _find_sky_region(lab: Pixels) -> Mask:
    """255 in the smooth part of the reduced image (8-bit Lab) that touches its upper edge, small holes closed."""
    calm = cv2.GaussianBlur(lab, (0, 0), 0.8).astype(np.float32)
    slopes = [cv2.Sobel(calm, cv2.CV_32F, *way, ksize=3, scale=1 / 4) for way in ((1, 0), (0, 1))]
    steep = np.sqrt(sum((slope**2).sum(axis=2) for slope in slopes))
    # Lab's a: leaves are green, far below zero, and no sky is.
    leaf = lab[..., 1].astype(np.float32) - 128
    # The uppermost sixth: where there is a sky at all, it is there.
    upper = calm[: max(1, len(calm) // 6)].reshape(-1, 3)
    darkest, blue = float(np.percentile(upper[:, 0], 8)), float(np.median(upper[:, 2]))
    alike = (calm[..., 0] > darkest - DARKER) & (calm[..., 2] < max(blue, 128) + WARMER)
    smooth = ((steep < SMOOTH) & (leaf > -14) & alike).astype(np.uint8)
    # 4-connected: by the corners of pixels a sky would leak through a row of branches.
    labels = np.empty(smooth.shape, np.int32)
    cv2.connectedComponents(smooth, labels, connectivity=4)
    above = np.unique(labels[0][labels[0] > 0])
    region = np.isin(labels, above).astype(np.uint8) * 255
    return cv2.morphologyEx(region, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))


def _darken_sky(day: Colours, night: Colours, sky: Plane, strength: float) -> Colours:
    """The night with its sky deep blue, darkest at the top; clouds stay faintly grey."""
    height = sky.shape[0]
    bottom = float(np.flatnonzero(sky.max(axis=1) > 0.5)[-1:].sum()) + 1
    down = np.clip(np.arange(height, dtype=np.float32) / np.float32(bottom), 0, 1)[:, np.newaxis, np.newaxis]
    zenith, horizon = (np.array(colour, np.float32) for colour in SKY_NIGHT)
    clear = zenith + (horizon - zenith) * down**1.3
    # The darkest channel: it is high in white clouds and low in blue.
    cloud = np.clip((day.min(axis=2) - 0.45) / np.float32(0.55), 0, 1)[..., np.newaxis]
    target = clear + cloud * np.array([0.1, 0.115, 0.15], np.float32)
    share = np.float32(min(1.0, strength * 1.15)) * sky[..., np.newaxis]
    return night + (target - night) * share * np.float32(0.92)


def _add_stars_and_moon(day: Colours, night: Colours, sky: Plane, prompt: Prompt, seed: int) -> Colours:
    """Stars where the sky is clear, and the moon if the prompt has one."""
    height, width = sky.shape
    canvas = Canvas(width, height, "nightfall", *prompt.words, seed)
    canvas.image[:] = night
    bottom = int(np.flatnonzero(sky.max(axis=1) > 0.5)[-1:].sum()) + 1
    paint_stars(canvas, max(2, bottom), density=1.0 if prompt.has("star") else 0.6)
    clear = sky * (1 - np.clip((day.min(axis=2) - np.float32(0.5)) * 3, 0, 1))
    night = night + (canvas.image - night) * clear[..., np.newaxis]
    if not prompt.has("moon"):
        return night
    canvas.image[:] = night
    centre, clearance = _find_moon_place(day, sky)
    paint_moon(canvas, centre, min(canvas.unit * 0.05, max(2.0, clearance * 0.5)), glow=True)
    return night + (canvas.image - night) * sky[..., np.newaxis]


def _find_moon_place(day: Colours, sky: Plane) -> tuple[tuple[float, float], float]:
    """The middle of the sun if it shines in the sky, or else of the widest place; and how much room is there."""
    inside = (sky > 0.7).astype(np.uint8)
    # With a border of no sky around it, or the farthest place would be on the edge of the image, half cut off.
    clearance: Array = cv2.distanceTransform(
        cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3
    )
    clearance = clearance[1:-1, 1:-1]
    sun: NDArray[np.bool_] = (day.min(axis=2) * sky > SUN) & (clearance > 0)
    rows, columns = np.nonzero(sun)
    # One small round spot; a bright haze is no sun.
    if 0 < len(rows) < 0.02 * sky.size and np.hypot(rows.std(), columns.std()) < 0.08 * max(sky.shape):
        return (float(columns.mean()), float(rows.mean())), 0.1 * max(sky.shape)
    # Rather high up than low, where the sky has room for it.
    high = 1 - 0.6 * np.arange(clearance.shape[0], dtype=np.float32)[:, np.newaxis] / clearance.shape[0]
    row, column = np.unravel_index(int((clearance * high).argmax()), clearance.shape)
    return (float(column), float(row)), float(clearance.max())
