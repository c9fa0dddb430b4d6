"""Render a prompt: the whole image, its main subject alone with alpha, or just its palette."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.paint.canvas import Canvas
from atelier_mcp.server.engine.paint.colour import choose_accents, choose_mood, get_named_colour
from atelier_mcp.server.engine.paint.cut_flowers import paint_bouquet
from atelier_mcp.server.engine.paint.finish import finish_canvas
from atelier_mcp.server.engine.paint.portrait import paint_bust
from atelier_mcp.server.engine.paint.scene import (
    build_indoor_stage,
    choose_kind,
    compose,
    compose_poses,
    is_bouquet,
)
from atelier_mcp.server.engine.paint.stage import Place
from atelier_mcp.server.engine.paint.still_life import paint_vase
from atelier_mcp.server.engine.paint.subjects import SUBJECTS, paint_subject
from atelier_mcp.server.engine.paint.surfaces import choose_surface, paint_surface
from atelier_mcp.server.engine.pixels import resize, to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.engine.paint.canvas import Point
    from atelier_mcp.server.engine.pixels import Colours, Pixels
    from atelier_mcp.server.engine.prompt import Noun, Prompt

LONGEST_PAINTED: Final = 2048
"""Larger pictures are painted at this size and enlarged."""
SHORTEST_PAINTED: Final = 256
"""Smaller ones are painted at this size and reduced: details need pixels."""


def paint(prompt: Prompt, *, seed: int, width: int, height: int) -> Pixels:
    """The prompt as an RGB image of exactly that size, without its style; the same for the same arguments.

    Takes an eighth to a quarter of a second at 960 pixels square, up to two seconds at 2048.
    """
    canvas = _create_canvas(prompt, seed, width, height)
    compose(canvas, prompt)
    if choose_kind(prompt) == "plain":
        # A ground asked for by its colour is that colour, without a lens's vignette and grain.
        image = to_bytes(np.clip(canvas.image, 0, 1))
    else:
        image = finish_canvas(canvas, monochrome=prompt.is_achromatic)
    return _resize_to(image, width, height)


def paint_in_pose(
    prompt: Prompt, poses: Sequence[Mapping[str, Point]], *, seed: int, width: int, height: int
) -> Pixels:
    """Like `paint`, with the prompt's person in given poses: joints by name, in pixels of the image asked for."""
    canvas = _create_canvas(prompt, seed, width, height)
    across, down = canvas.width / width, canvas.height / height
    scaled = [{name: (x * across, y * down) for name, (x, y) in pose.items()} for pose in poses]
    compose_poses(canvas, prompt, scaled)
    return _resize_to(finish_canvas(canvas, monochrome=prompt.is_achromatic), width, height)


def build_palette(prompt: Prompt, seed: int) -> tuple[tuple[float, float, float], ...]:
    """The image's leading colours, RGB in [0, 1]: its sky from the zenith down, its light, its accents."""
    # Without painting: the generators of mood and accents depend on the prompt and the seed alone, not on the size.
    canvas = Canvas(1, 1, *_build_key(prompt, seed))
    mood = choose_mood(prompt, canvas.make_rng("mood"))
    nouns = [get_named_colour(name) for noun in (*prompt.subjects, *prompt.scenes) for name in noun.colours]
    colours = [*mood.sky, mood.light, mood.haze, *choose_accents(prompt, canvas.make_rng("accents")), *nouns]
    return tuple((float(red), float(green), float(blue)) for red, green, blue in colours)


def find_main_subject(prompt: Prompt) -> Noun | None:
    """The first subject that can be painted by itself: with one, it is all that ``paint_element`` paints."""
    return next((noun for noun in prompt.subjects if noun.name in SUBJECTS), None)


def paint_element(prompt: Prompt, *, seed: int, width: int, height: int) -> Pixels:
    """The prompt's main subject alone as RGBA (straight alpha).

    Without a subject it is what the prompt names, opaque: a sky or a surface alone, else the scene.
    """
    noun = find_main_subject(prompt)
    if noun is None:
        surface = choose_surface(prompt)
        if surface:
            scene = _paint_surface_alone(prompt, surface, seed, (width, height))
        else:
            scene = paint(_leave_out_far_shore(prompt), seed=seed, width=width, height=height)
        return np.dstack([scene, np.full(scene.shape[:2], 255, np.uint8)])
    # What is painted alike on black and on white is opaque; what takes the ground's colour is not there.
    on_black, on_white = (_paint_alone(prompt, noun, seed, (width, height), ground) for ground in (0.0, 1.0))
    alpha = np.clip(1 - (on_white - on_black).mean(axis=2), 0, 1)
    # What is left on black is the colour times alpha.
    colours = on_black / np.maximum(alpha, np.float32(1 / 255))[..., None]
    return _resize_to(to_bytes(np.dstack([colours, alpha])), width, height)


def names_anything(prompt: Prompt) -> bool:
    """Whether a prompt names things, a place, an hour, a weather or a colour: anything but a manner."""
    nouns = (*prompt.scenes, *prompt.subjects, *prompt.surfaces)
    return bool(nouns or prompt.time_of_day or prompt.weather or prompt.colours)


def has_own_light(prompt: Prompt) -> bool:
    """Whether what `paint_element` paints is in a light of its own, and not to take that of another picture."""
    return find_main_subject(prompt) is None and (prompt.time_of_day is not None or choose_surface(prompt) == "sky")


def _leave_out_far_shore(prompt: Prompt) -> Prompt:
    """The prompt without the land that a picture of the sea gets unasked."""
    return prompt if prompt.has("coast", "harbour") else replace(prompt, unwanted=prompt.unwanted | {"coast"})


def _paint_surface_alone(prompt: Prompt, name: str, seed: int, size: tuple[int, int]) -> Pixels:
    """A sky or a surface without a lens's vignette: it is part of another picture."""
    canvas = _create_canvas(prompt, seed, *size)
    paint_surface(canvas, prompt, name)
    image = to_bytes(np.clip(canvas.image, 0, 1))
    if prompt.is_achromatic:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _resize_to(image, *size)


def _paint_alone(prompt: Prompt, noun: Noun, seed: int, size: tuple[int, int], ground: float) -> Colours:
    canvas = _create_canvas(prompt, seed, *size)
    canvas.image[:] = ground
    # By this "hour" painters leave off what reaches beyond the thing itself: a flame's glow, a kite's long string.
    mood = replace(choose_mood(prompt, canvas.make_rng("mood")), time="alone")
    stage = build_indoor_stage(canvas, prompt, mood, "alone")
    known = SUBJECTS[noun.name]
    # 0.84 leaves a margin of 8 % on either side.
    tall_px = 0.84 * min(canvas.height / known.rise, canvas.width / known.span)
    place = Place(noun, canvas.width / 2, (canvas.height + tall_px * known.rise) / 2, tall_px)
    flowers = prompt.find_subject("flower")
    if noun.name == "person" and choose_kind(prompt) == "portrait":
        # Cut by the lower edge, one pixel further down so that no gap is left.
        paint_bust(stage, replace(place, y=canvas.height + 1.0, size=canvas.unit * 0.9))
    elif noun.name == "vase" and flowers:
        # With its bouquet a vase is about twice as tall as without.
        paint_vase(stage, replace(place, size=tall_px * 0.52), flowers=True, blossoms=replace(place, noun=flowers))
    elif noun.name == "flower" and (is_bouquet(prompt) or noun.count != 1):
        paint_bouquet(stage, place)
    else:
        paint_subject(stage, place)
    return np.clip(canvas.image, 0, 1)


def _build_key(prompt: Prompt, seed: int) -> tuple[str, int]:
    return " ".join(prompt.words), seed


def _create_canvas(prompt: Prompt, seed: int, width: int, height: int) -> Canvas:
    longest, shortest = max(width, height), min(width, height)
    # In a very long picture the longest side decides, whatever becomes of the shortest.
    scale = min(LONGEST_PAINTED / longest, max(1.0, SHORTEST_PAINTED / shortest))
    return Canvas(max(2, round(width * scale)), max(2, round(height * scale)), *_build_key(prompt, seed))


def _resize_to(image: Pixels, width: int, height: int) -> Pixels:
    if image.shape[:2] == (height, width):
        return image
    return resize(image, width, height)
