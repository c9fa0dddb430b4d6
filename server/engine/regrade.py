"""Season, weather and daylight for a source image: what a palette transfer leaves too faint to be seen.

Each change works on colours alone, as a colourist grades a film: leaves turn, greens go white, haze is laid over, a
dark picture is exposed as by day. Forms stay. Images are RGB floats in [0, 1] within this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.nightfall import find_sky
from atelier_mcp.server.engine.paint.canvas import Canvas
from atelier_mcp.server.engine.paint.coverage import SOURCE_WEATHERS
from atelier_mcp.server.engine.paint.weather import paint_rain

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Colours, Pixels, Plane
    from atelier_mcp.server.engine.prompt import Prompt

_BRIGHTNESS: Final = {"day": 0.56, "dawn": 0.48, "sunset": 0.4}
"""The mean brightness that a darker source is exposed to, by the hour."""
MOST_UNEVEN: Final = 0.065
"""The deviation of brightness along a row, above which what was found is trees and no sky."""
LEAST_ROW_PX: Final = 10
_DAY_SKY: Final = ((0.22, 0.48, 0.78), (0.78, 0.89, 0.96))
"""Zenith and horizon."""
_HAZE: Final = (0.83, 0.86, 0.89)
_GREY_LIGHT: Final = (0.62, 0.69, 0.76)
"""The light under rain clouds."""


def list_regrades(prompt: Prompt) -> tuple[str, ...]:
    """The hour and the weathers of a prompt that change a source's light or season, by their names."""
    time = (prompt.time_of_day,) if prompt.time_of_day else ()
    return (*time, *(name for name in SOURCE_WEATHERS if name in prompt.weather))


def apply_weather(image: Pixels, prompt: Prompt, *, strength: float, seed: int) -> Pixels:
    """The image in the prompt's season and weather, the more the higher ``strength`` in [0, 1]."""
    names = [name for name in SOURCE_WEATHERS if name in prompt.weather]
    if not names:
        return image
    graded, share = _to_floats(image), compute_share(strength)
    for name in names:
        graded = _apply_one(graded, name, share, seed)
    return _to_bytes(graded)


def apply_daylight(image: Pixels, source: Pixels, time_of_day: str | None, *, strength: float) -> Pixels:
    """The image exposed as by that hour where it is darker, and by day with a bright sky where the source has a sky."""
    if time_of_day not in _BRIGHTNESS:
        return image
    floats, share = _to_floats(image), compute_share(strength)
    mean = float(np.clip(floats.mean(), 0.02, 0.98))
    wanted = mean + (_BRIGHTNESS[time_of_day] - mean) * share
    if wanted <= mean + 0.02:
        return image
    exposed = _expose(floats, np.float32(np.log(wanted) / np.log(mean)))
    if time_of_day == "day":
        exposed = _brighten_sky(exposed, _find_clear_sky(source, exposed), share)
    return _to_bytes(exposed)


def _expose(image: Colours, gamma: np.float32) -> Colours:
    """The image with its light raised to a power and most of its colours kept: each channel's own power pales them."""
    light = np.maximum(image.mean(axis=2, keepdims=True), np.float32(1 / 255))
    vivid = image * (light**gamma / light)
    fitting = vivid / np.maximum(vivid.max(axis=2, keepdims=True), 1)
    return np.float32(0.7) * fitting + np.float32(0.3) * image**gamma


def compute_share(strength: float) -> float:
    """How much of a change is made at a strength: at the usual 0.6 more than four fifths."""
    return 1 - (1 - strength) ** 2


def _find_clear_sky(source: Pixels, exposed: Colours) -> Plane:
    """The sky of a dark picture; none where it cannot be told from the land, as behind a forest by night."""
    sky = find_sky(source)
    light, inside = exposed.mean(axis=2), sky > 0.7
    rows = [float(light[row][inside[row]].std()) for row in np.flatnonzero(inside.sum(axis=1) > LEAST_ROW_PX)]
    # By the picture as exposed by day: in the dark everything is alike.
    return sky if rows and float(np.median(rows)) < MOST_UNEVEN else np.zeros_like(sky)


def _brighten_sky(image: Colours, sky: Plane, share: float) -> Colours:
    rows = np.flatnonzero(sky.max(axis=1) > 0.5)
    if not len(rows):
        return image
    down = np.clip(np.arange(len(sky), dtype=np.float32) / np.float32(rows[-1] + 1), 0, 1)[:, None, None]
    zenith, horizon = (np.array(colour, np.float32) for colour in _DAY_SKY)
    clear = zenith + (horizon - zenith) * down
    return image + (clear - image) * (sky[..., None] * np.float32(0.85 * share))


def _apply_one(image: Colours, name: str, share: float, seed: int) -> Colours:
    match name:
        case "autumn":
            return _turn_leaves(image, share)
        case "snow":
            return _lay_snow(image, share)
        case "fog":
            return _lay_haze(image, share)
        case "rain":
            return _pour_rain(_grey(image, 0.55 * share, darker=0.2 * share), share, seed)
        case _:
            return _pour_rain(_grey(image, 0.7 * share, darker=0.5 * share), share, seed)


def _measure_green(image: Colours) -> Plane:
    """How green each pixel is, 0 to 1: leaves and grass, also in shade."""
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    return np.clip((green - np.maximum(red * np.float32(0.92), blue)) / (green * np.float32(0.22) + 0.02), 0, 1)


def _turn_leaves(image: Colours, share: float) -> Colours:
    """Green becomes amber and rust, and the light a little warmer."""
    green = image[..., 1]
    leaves = np.stack([np.clip(green * 1.22 + 0.06, 0, 1), green * 0.68, image[..., 2] * 0.35], axis=-1)
    turned = image + (leaves - image) * (_measure_green(image) * np.float32(share))[..., None]
    return turned * (1 + (np.array([1.05, 0.98, 0.9], np.float32) - 1) * np.float32(share))


def _lay_snow(image: Colours, share: float) -> Colours:
    """Greens go white, lighter where there was light; everything else loses colour and cools."""
    light = image.mean(axis=2, keepdims=True)
    snow = np.clip(0.42 + 0.75 * light, 0, 1) * np.array([0.95, 0.98, 1.03], np.float32)
    pale = light + (image - light) * np.float32(1 - 0.45 * share)
    cool = pale * (1 + (np.array([0.96, 1.0, 1.07], np.float32) - 1) * np.float32(share))
    return cool + (snow - cool) * (_measure_green(image) * np.float32(0.9 * share))[..., None]


def _lay_haze(image: Colours, share: float) -> Colours:
    """Haze over everything, thicker towards the top, where things are far."""
    height = image.shape[0]
    thickness = np.linspace(0.82, 0.5, height, dtype=np.float32)[:, None, None] * np.float32(share)
    # As bright as the picture allows: fog by night is not white.
    haze = np.array(_HAZE, np.float32) * np.float32(min(1.0, 0.45 + float(image.mean())))
    return image + (haze - image) * thickness


def _grey(image: Colours, share: float, *, darker: float) -> Colours:
    """Less colour under a grey sky, and less light."""
    light = image.mean(axis=2, keepdims=True)
    overcast = light * np.array(_GREY_LIGHT, np.float32) / np.float32(np.mean(_GREY_LIGHT))
    return (image + (overcast - image) * np.float32(share)) * np.float32(1 - darker)


def _pour_rain(image: Colours, share: float, seed: int) -> Colours:
    canvas = Canvas(image.shape[1], image.shape[0], "regrade", seed)
    canvas.image[:] = image
    paint_rain(canvas, strength=share)
    return canvas.image


def _to_floats(image: Pixels) -> Colours:
    return image.astype(np.float32) / np.float32(255)


def _to_bytes(image: Colours) -> Pixels:
    return (np.clip(image, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
