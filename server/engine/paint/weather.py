"""Weather before the scene: fog, rain and falling snow; painted last, over everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from atelier_mcp.server.engine.paint.colour import WHITE, mix, rgb
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas
    from atelier_mcp.server.engine.paint.stage import Stage


def paint_weather(stage: Stage) -> None:
    """Lay the prompt's weather over the picture."""
    if stage.prompt.has("fog"):
        paint_fog(stage, stage.horizon, strength=0.8)
    if stage.mood.is_stormy:
        paint_rain(stage.canvas, strength=1.0)
    elif stage.prompt.has("rain"):
        paint_rain(stage.canvas, strength=0.8)
    if stage.prompt.has("snow"):
        paint_snowfall(stage)


def paint_fog(stage: Stage, middle: float, *, strength: float) -> None:
    """A torn bank of fog around a row."""
    canvas = stage.canvas
    reach = np.float32(canvas.unit * 0.17)
    top, bottom = max(0, int(middle - 2.3 * reach)), min(canvas.height, int(middle + 2.3 * reach))
    if bottom <= top:
        return
    torn = make_cloud_noise(
        canvas.make_rng("fog"), bottom - top, canvas.width, canvas.unit / 2.4, octaves=4, stretch=3.0
    )
    away = (canvas.get_rows()[top:bottom] - np.float32(middle)) / reach
    bank = np.exp(-(away**2)) * (torn * 1.7 - 0.25)
    canvas.blend(np.clip(bank, 0, strength), mix(stage.mood.haze, WHITE, 0.15), top=top, bottom=bottom)


def paint_rain(canvas: Canvas, *, strength: float) -> None:
    """Slanting rain in two depths."""
    rng = canvas.make_rng("rain")
    slant = float(rng.uniform(0.12, 0.3) * rng.choice([-1, 1]))
    # Many short faint strokes far away, fewer and longer ones near; all at one slant.
    for depth, (count, length) in enumerate(((620, 0.035), (240, 0.07))):
        plane = np.zeros((canvas.height, canvas.width), np.uint8)
        # By the area in units, as lengths are: a larger picture shows the same rain.
        number = int(count * strength * canvas.width * canvas.height / canvas.unit**2)
        # From outside as well, or slanting strokes would leave a corner empty.
        starts = (rng.random((number, 2)) * 1.2 - 0.1) * [canvas.width, canvas.height]
        falls = canvas.unit * length * rng.uniform(0.6, 1.2, number)
        width = max(1, round(canvas.unit / 900 * (1 + depth)))
        for (x, y), fall, light in zip(starts, falls, rng.integers(60, 190, number), strict=True):
            cv2.line(plane, (int(x), int(y)), (int(x + fall * slant), int(y + fall)), (int(light),), width, cv2.LINE_AA)
        cover = cv2.GaussianBlur(plane, (0, 0), 0.7 + 0.5 * depth).astype(np.float32) / np.float32(255)
        canvas.blend(cover * np.float32(0.34 - 0.06 * depth), rgb("#dde6ea"))


def paint_snowfall(stage: Stage) -> None:
    """Flakes in three depths, the nearest large and soft."""
    canvas = stage.canvas
    rng = canvas.make_rng("snowfall")
    area = canvas.width * canvas.height / canvas.unit**2
    for count, size, blur, opacity in ((320, 0.0011, 0.0006, 0.6), (130, 0.0022, 0.001, 0.7), (26, 0.005, 0.003, 0.5)):
        plane = np.zeros((canvas.height, canvas.width), np.uint8)
        for _ in range(int(count * area)):
            # In sixteenths of a pixel (the 4 below is that shift): whole pixels would give flakes of two sizes only.
            centre = (int(rng.random() * canvas.width * 16), int(rng.random() * canvas.height * 16))
            radius = max(8, int(canvas.unit * size * rng.uniform(0.6, 1.3) * 16))
            cv2.circle(plane, centre, radius, (255,), -1, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(plane, (0, 0), max(0.6, canvas.unit * blur)).astype(np.float32) / np.float32(255)
        canvas.blend(soft * np.float32(opacity), mix(WHITE, stage.mood.light, 0.2))
