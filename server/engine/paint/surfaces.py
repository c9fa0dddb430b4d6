"""Paint what has no view: a sky that fills the frame, or a surface such as grass, sand, water or a brick wall.

A landscape brings its horizon, its hills and its light along. Into a marked area goes only what was named, and a sky
or a surface by itself is all of its picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.colour import choose_accents, choose_mood, get_named_colour, mix, rgb
from atelier_mcp.server.engine.paint.sky import choose_sun_position, paint_sky
from atelier_mcp.server.engine.paint.stage import Stage
from atelier_mcp.server.engine.paint.subjects import SUBJECTS
from atelier_mcp.server.engine.paint.surface_textures import TEXTURES, emboss_canvas
from atelier_mcp.server.engine.paint.vegetation import paint_grass
from atelier_mcp.server.engine.paint.weather import paint_fog, paint_weather
from atelier_mcp.server.engine.pixels import make_cloud_noise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas
    from atelier_mcp.server.engine.pixels import Colours
    from atelier_mcp.server.engine.prompt import Noun, Prompt

SKY_THINGS: Final = frozenset({"sky", "sun", "moon", "star", "comet", "aurora", "rainbow"})
SKY_WEATHERS: Final = frozenset({"storm", "lightning", "rain", "fog", "cloudy", "clear"})
_OVERCAST: Final = frozenset({"cloudy", "rain", "storm", "lightning"})
_STANDS_FOR: Final = {"meadow": "grass", "sea": "water", "lake": "water", "road": "asphalt", "rock": "stone wall"}
"""Scenes and subjects of a landscape that are a surface where nothing else is named."""
_WHOLE_VIEWS: Final = frozenset(
    {"garden", "countryside", "farm", "village", "park", "orchard", "savanna", "savannah"}
    | {"花园", "乡村", "农场", "村庄", "公园", "田园", "花田"}
)
"""Words for the meadow that name more than its grass."""
_COLOURS: Final = {
    "grass": "#5d8a3c", "water": "#2b6c88", "sand": "#d9bf8f", "snow": "#eef3f8", "soil": "#6d5138",
    "gravel": "#9a958c", "brick wall": "#9c4a36", "wall": "#cfc8bb", "stone wall": "#8a857c", "planks": "#9b7248",
    "asphalt": "#5a5c60", "tiles": "#d5dde0", "plain": "#ffffff",
}  # fmt: skip


def choose_surface(prompt: Prompt) -> str | None:
    """The one surface a prompt names ("sky" is one), or None where it names things or a whole view."""
    things = {noun.name for noun in prompt.subjects}
    named = [*prompt.scenes, *prompt.subjects, *prompt.surfaces]
    if any(name in SUBJECTS for name in things):
        return None
    if not prompt.scenes and not prompt.surfaces and things <= SKY_THINGS:
        return _choose_without_ground(prompt, has_things=bool(things))
    if len(named) != 1 or any(phrase in _WHOLE_VIEWS for phrase in prompt.understood):
        return None
    name = named[0].name
    return name if prompt.surfaces else _STANDS_FOR.get(name)


def _choose_without_ground(prompt: Prompt, *, has_things: bool) -> str | None:
    if has_things or prompt.time_of_day or not SKY_WEATHERS.isdisjoint(prompt.weather):
        return "sky"
    if "snow" in prompt.weather:
        return "snow"
    return "plain" if prompt.names_only_colours else None


def paint_surface(canvas: Canvas, prompt: Prompt, name: str) -> None:
    """Fill the canvas with a surface of `choose_surface`, in the light of the prompt's hour."""
    if name == "sky":
        _paint_whole_sky(canvas, prompt)
        return
    daylit = prompt if prompt.time_of_day else replace(prompt, time_of_day="day")
    # The colour is the surface's own: it is not to tint the light as well.
    stage = _build_stage(canvas, replace(daylit, colours=()))
    colour = _choose_colour(prompt, name)
    if name == "water":
        _paint_water_from_above(stage, colour)
        return
    lit = colour if stage.mood.time == "day" else stage.mood.apply_light(colour)
    canvas.image[:] = lit
    if name == "plain":
        return
    TEXTURES[name](canvas, canvas.make_rng(name))
    if name == "grass":
        paint_grass(stage, -canvas.unit * 0.05, colour)


def _choose_colour(prompt: Prompt, name: str) -> Colours:
    own = find_surface_noun(prompt)
    colours = (*(own.colours if own else ()), *prompt.colours)
    return get_named_colour(colours[0]) if colours else rgb(_COLOURS[name])


def find_surface_noun(prompt: Prompt) -> Noun | None:
    """The noun that names the surface; None for snow and for colours alone, which are no nouns."""
    return next(iter((*prompt.surfaces, *prompt.scenes, *prompt.subjects)), None)


def _build_stage(canvas: Canvas, prompt: Prompt) -> Stage:
    mood = choose_mood(prompt, canvas.make_rng("mood"))
    sun = choose_sun_position(canvas, mood, canvas.height)
    return Stage(canvas, prompt, mood, canvas.height, sun, choose_accents(prompt, canvas.make_rng("accents")))


def _paint_whole_sky(canvas: Canvas, prompt: Prompt) -> None:
    sky_prompt = _complete_sky(prompt)
    stage = _build_stage(canvas, sky_prompt)
    paint_sky(stage)
    if prompt.has("fog"):
        # In banks from top to bottom: what is marked has no horizon for it to lie on.
        for share in (0.2, 0.5, 0.8):
            paint_fog(stage, canvas.height * share, strength=0.8)
    paint_weather(replace(stage, prompt=replace(sky_prompt, weather=tuple(w for w in prompt.weather if w != "fog"))))


def _complete_sky(prompt: Prompt) -> Prompt:
    """The prompt with an hour, and without the sun, moon and clouds that a landscape would get unasked."""
    is_nocturnal = prompt.has("moon", "star", "aurora", "comet")
    hour = prompt.time_of_day or (None if is_nocturnal or prompt.has("storm", "lightning") else "day")
    unasked = {name for name in ("sun", "moon") if not prompt.has(name)}
    # At dawn and sunset the low sun and its clouds are what the hour looks like.
    is_low = hour in {"sunset", "dawn"}
    is_clear = not is_low and not prompt.has(*_OVERCAST)
    return replace(
        prompt,
        time_of_day=hour,
        unwanted=prompt.unwanted | (unasked - {"sun"} if is_low else unasked),
        weather=(*prompt.weather, "clear") if is_clear else prompt.weather,
    )


def _paint_water_from_above(stage: Stage, colour: Colours) -> None:
    """Water without its horizon: ripples, broad swells, and the sky's light on the slopes that face it."""
    canvas, mood = stage.canvas, stage.mood
    rng = canvas.make_rng("ripples")
    canvas.image[:] = mood.apply_light(colour)
    size = 0.5 if stage.prompt.has("calm") else 1.0
    swell = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit * 0.3, octaves=3, stretch=3.0)
    ripples = make_cloud_noise(rng, canvas.height, canvas.width, canvas.unit * 0.06, octaves=4, stretch=3.5)
    # Folded at its middle: soft swells become crests.
    crests = 1 - np.abs(2 * ripples - 1)
    facing = np.clip((crests - 0.72) * 3.2, 0, 1) * np.float32(0.55 * size) + np.clip(swell - 0.45, 0, 1) * 0.5
    canvas.blend(facing.astype(np.float32), mix(mood.sky[-1], mood.light, 0.4))
    emboss_canvas(canvas, crests.astype(np.float32), canvas.unit * 0.008 * size)
