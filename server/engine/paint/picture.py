"""A whole picture of a prompt, its main subject alone, and its colours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.canvas import Canvas
from atelier_mcp.server.engine.paint.colour import accents_of, mood_of, named
from atelier_mcp.server.engine.paint.finish import finished
from atelier_mcp.server.engine.paint.portrait import bust
from atelier_mcp.server.engine.paint.scene import compose, indoor_stage, is_bouquet, kind_of
from atelier_mcp.server.engine.paint.stage import Place
from atelier_mcp.server.engine.paint.still_life import bouquet, vase
from atelier_mcp.server.engine.paint.subjects import SUBJECTS, paint_subject
from atelier_mcp.server.engine.pixels import resized, to_bytes
from atelier_mcp.server.engine.vocabulary import ACHROMATIC

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Colours, Pixels
    from atelier_mcp.server.engine.prompt import Noun, Prompt

LONGEST_PAINTED: Final = 2048
"""Larger pictures are painted at this size and enlarged."""
SHORTEST_PAINTED: Final = 256
"""Smaller ones are painted at this size and reduced: details need pixels."""


def paint(prompt: Prompt, *, seed: int, width: int, height: int) -> Pixels:
    """The prompt as an RGB picture of exactly that size, without its style; the same for the same arguments."""
    canvas = _canvas(prompt, seed, width, height)
    compose(canvas, prompt)
    picture = finished(canvas, monochrome=_without_hue(prompt))
    return _at_size(picture, width, height)


def palette_of(prompt: Prompt, seed: int) -> tuple[tuple[float, float, float], ...]:
    """The picture's leading colours, RGB in [0, 1]: its sky from the zenith down, its light, its accents."""
    canvas = Canvas(1, 1, *_key(prompt, seed))
    mood = mood_of(prompt, canvas.rng("mood"))
    nouns = [named(name) for noun in (*prompt.subjects, *prompt.scenes) for name in noun.colours]
    colours = [*mood.sky, mood.light, mood.haze, *accents_of(prompt, canvas.rng("accents")), *nouns]
    return tuple((float(red), float(green), float(blue)) for red, green, blue in colours)


def main_subject(prompt: Prompt) -> Noun | None:
    """The first subject that can be painted by itself, which is all that ``element`` paints of a prompt with one."""
    return next((noun for noun in prompt.subjects if noun.name in SUBJECTS), None)


def element(prompt: Prompt, *, seed: int, width: int, height: int) -> Pixels:
    """The prompt's main subject alone as RGBA; without one that can be painted, the whole scene, opaque."""
    noun = main_subject(prompt)
    if noun is None:
        scene = paint(prompt, seed=seed, width=width, height=height)
        return np.dstack([scene, np.full(scene.shape[:2], 255, np.uint8)])
    # What is painted alike on black and on white is opaque; what takes the ground's colour is not there.
    on_black, on_white = (_alone(prompt, noun, seed, (width, height), ground) for ground in (0.0, 1.0))
    alpha = np.clip(1 - (on_white - on_black).mean(axis=2), 0, 1)
    colours = on_black / np.maximum(alpha, np.float32(1 / 255))[..., None]
    return _at_size(to_bytes(np.dstack([colours, alpha])), width, height)


def _alone(prompt: Prompt, noun: Noun, seed: int, size: tuple[int, int], ground: float) -> Colours:
    canvas = _canvas(prompt, seed, *size)
    canvas.image[:] = ground
    mood = replace(mood_of(prompt, canvas.rng("mood")), time="alone")
    stage = indoor_stage(canvas, prompt, mood, "alone")
    known = SUBJECTS[noun.name]
    tall = 0.84 * min(canvas.height / known.rise, canvas.width / known.span)
    place = Place(noun, canvas.width / 2, (canvas.height + tall * known.rise) / 2, tall)
    flowers = prompt.subject("flower")
    if noun.name == "person" and kind_of(prompt) == "portrait":
        bust(stage, replace(place, y=canvas.height + 1.0, size=canvas.unit * 0.9))
    elif noun.name == "vase" and flowers:
        vase(stage, replace(place, size=tall * 0.52), flowers=True, blossoms=replace(place, noun=flowers))
    elif noun.name == "flower" and (is_bouquet(prompt) or noun.count != 1):
        bouquet(stage, place)
    else:
        paint_subject(stage, place)
    return np.clip(canvas.image, 0, 1)


def _without_hue(prompt: Prompt) -> bool:
    """Whether the whole picture was asked for in black, white or grey alone."""
    return len(prompt.colours) > 1 and ACHROMATIC.issuperset(prompt.colours)


def _key(prompt: Prompt, seed: int) -> tuple[str, int]:
    return " ".join(prompt.words), seed


def _canvas(prompt: Prompt, seed: int, width: int, height: int) -> Canvas:
    longest, shortest = max(width, height), min(width, height)
    scale = min(LONGEST_PAINTED / longest, max(1.0, SHORTEST_PAINTED / shortest))
    return Canvas(max(2, round(width * scale)), max(2, round(height * scale)), *_key(prompt, seed))


def _at_size(picture: Pixels, width: int, height: int) -> Pixels:
    if picture.shape[:2] == (height, width):
        return picture
    return resized(picture, width, height)
