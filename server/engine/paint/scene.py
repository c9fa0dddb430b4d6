"""Composition: decide which kind of picture a prompt asks for, and paint that kind with its subjects in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.abstract import paint_flow, paint_geometry
from atelier_mcp.server.engine.paint.colour import Mood, choose_accents, choose_mood, rgb
from atelier_mcp.server.engine.paint.outdoors import paint_outdoors, plan_view
from atelier_mcp.server.engine.paint.portrait import paint_backdrop, paint_bust
from atelier_mcp.server.engine.paint.sky import choose_sun_position
from atelier_mcp.server.engine.paint.space import paint_space
from atelier_mcp.server.engine.paint.stage import Place, Stage
from atelier_mcp.server.engine.paint.still_life import TABLE_TOP, paint_room, paint_vase
from atelier_mcp.server.engine.paint.subjects import SUBJECTS, choose_count, paint_subject
from atelier_mcp.server.engine.paint.underwater import paint_underwater
from atelier_mcp.server.engine.prompt import Noun, Prompt

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas

_LANDSCAPES: Final = (
    "mountains",
    "hills",
    "sea",
    "coast",
    "harbour",
    "lake",
    "forest",
    "desert",
    "city",
    "neon",
    "meadow",
)
_WATERY: Final = frozenset({"fish", "whale"})


def choose_kind(prompt: Prompt) -> str:
    """The kind of picture: "space", "underwater", "portrait", "still life", "geometry", "flow" or "outdoors".

    The first that fits: a named landscape wins over what a subject suggests ("a woman at the sea" is no portrait), and
    what fits nothing is outdoors.
    """
    if prompt.has("space") or (prompt.has("planet") and not prompt.has(*_LANDSCAPES)):
        return "space"
    if prompt.has("underwater") or (prompt.has("fish") and not prompt.has("boat", "lake", "meadow")):
        return "underwater"
    if prompt.has("portrait") or (prompt.has("person") and not prompt.has(*_LANDSCAPES)):
        return "portrait"
    if prompt.has("still life") or (_has_table_subject(prompt) and not prompt.has(*_LANDSCAPES)):
        return "still life"
    if prompt.has("geometric"):
        return "geometry"
    if prompt.has("abstract") and not any(noun.name in SUBJECTS for noun in prompt.subjects):
        return "flow"
    return "outdoors"


def _has_table_subject(prompt: Prompt) -> bool:
    """Whether it shows what belongs on a table."""
    return is_bouquet(prompt) or any(
        noun.name in SUBJECTS and SUBJECTS[noun.name].zone == "table" for noun in prompt.subjects
    )


def is_bouquet(prompt: Prompt) -> bool:
    """Whether the prompt's flowers are cut and bound."""
    return any("bouquet" in phrase or phrase == "花束" for phrase in prompt.understood)


def compose(canvas: Canvas, prompt: Prompt) -> None:
    """Paint the prompt on the canvas."""
    kind = choose_kind(prompt)
    mood = choose_mood(prompt, canvas.make_rng("mood"))
    if kind == "outdoors":
        view = plan_view(prompt, canvas.make_rng("view"))
        paint_outdoors(_build_stage(canvas, prompt, mood, view.horizon), view)
        return
    stage = build_indoor_stage(canvas, prompt, mood, kind)
    if kind == "space":
        paint_space(stage)
        _scatter_subjects(stage, "sky", middle=0.62)
    elif kind == "underwater":
        paint_underwater(stage)
        _scatter_subjects(stage, "deep", middle=0.55)
    elif kind == "portrait":
        _paint_portrait(stage)
    elif kind == "still life":
        _paint_still_life(stage)
    elif kind == "geometry":
        paint_geometry(stage)
    else:
        paint_flow(stage)


def _build_stage(canvas: Canvas, prompt: Prompt, mood: Mood, horizon: float) -> Stage:
    row = int(canvas.height * horizon)
    return Stage(
        canvas,
        prompt,
        mood,
        row,
        choose_sun_position(canvas, mood, row),
        choose_accents(prompt, canvas.make_rng("accents")),
    )


def build_indoor_stage(canvas: Canvas, prompt: Prompt, mood: Mood, kind: str) -> Stage:
    """A stage lit from the upper left, as indoors and in space."""
    light = replace(
        mood, time=kind, light=rgb("#fff2dc"), shade=rgb("#5a5560"), haze=mood.sky[1], key=1.0, is_stormy=False
    )
    if kind == "underwater":
        light = replace(light, key=mood.key)
    sun = (canvas.width * 0.1, -canvas.height * 0.2)
    return Stage(
        canvas, prompt, light, int(canvas.height * 0.62), sun, choose_accents(prompt, canvas.make_rng("accents"))
    )


def _scatter_subjects(stage: Stage, zone: str, *, middle: float) -> None:
    """Paint every subject of that zone, the first and largest near the middle, the others around it."""
    canvas = stage.canvas
    rng = canvas.make_rng("scatter")
    nouns = [noun for noun in stage.prompt.subjects if noun.name in SUBJECTS]
    nouns = [noun for noun in nouns if SUBJECTS[noun.name].zone == zone or noun.name in _WATERY]
    if zone == "deep" and not nouns:
        nouns = [Noun("fish", (), None)]
    places: list[Place] = []
    for noun in nouns:
        count = choose_count(noun, rng)
        for index in range(count):
            size = SUBJECTS[noun.name].size * canvas.unit * (1.5 if zone == "sky" else 1.35)
            size *= 1.0 if index == 0 else rng.uniform(0.3, 0.75)
            # Steps of the golden ratio spread any number of things without rows or clumps.
            share = (index * 0.618034 + rng.uniform(0.35, 0.6)) % 1.0
            y = canvas.height * (middle + (rng.uniform(-0.06, 0.06) if index == 0 else rng.uniform(-0.36, 0.28)))
            places.append(Place(noun, canvas.width * (0.14 + 0.72 * share), y, float(size), index))
    # The painter's algorithm: smaller is farther.
    for place in sorted(places, key=lambda place: place.size):
        paint_subject(stage, place)


def _paint_portrait(stage: Stage) -> None:
    canvas = stage.canvas
    if stage.prompt.has(*_LANDSCAPES) or stage.prompt.time_of_day:
        mood = choose_mood(stage.prompt, canvas.make_rng("mood"))
        view = plan_view(replace(stage.prompt, subjects=()), canvas.make_rng("view"))
        outdoors = _build_stage(canvas, replace(stage.prompt, subjects=()), mood, 0.62)
        paint_outdoors(outdoors, view)
        stage = replace(outdoors, prompt=stage.prompt, mood=replace(mood, key=max(mood.key, 0.5)))
    else:
        paint_backdrop(stage)
    noun = stage.prompt.find_subject("person") or Noun("person")
    count = min(3, choose_count(noun, canvas.make_rng("sitters")))
    # By the width for several: heads must not overlap, but shoulders may.
    size = min(canvas.height * 0.86, canvas.width * 1.12 / count)
    for index in range(count):
        paint_bust(stage, Place(noun, canvas.width * (index + 0.5) / count, canvas.height + size * 0.03, size, index))


def _paint_still_life(stage: Stage) -> None:
    """Tall things behind, small ones before them, spread over the table."""
    paint_room(stage)
    canvas, prompt = stage.canvas, stage.prompt
    rng = canvas.make_rng("table")
    flowers = prompt.find_subject("flower")
    nouns = [noun for noun in prompt.subjects if noun.name in SUBJECTS and SUBJECTS[noun.name].zone == "table"]
    if flowers and not prompt.has("vase"):
        nouns.insert(0, Noun("vase"))
    items = [(noun, index) for noun in nouns or _choose_default_nouns(rng) for index in range(choose_count(noun, rng))]
    spread = min(0.74, 0.2 * len(items))
    crowd = 1 + 0.12 * max(0, len(items) - 3)
    scale = 1.25 / crowd * float(np.clip((canvas.height / canvas.width) ** 0.4, 1.0, 1.45))
    places: list[Place] = []
    for slot, (noun, index) in enumerate(items):
        share = 0.5 + spread * ((slot + 0.5) / len(items) - 0.5) + rng.uniform(-0.02, 0.02)
        back = 0.3 if SUBJECTS[noun.name].size > 0.3 else rng.uniform(0.42, 0.72)
        y = canvas.height * (TABLE_TOP + (1 - TABLE_TOP) * back)
        size = SUBJECTS[noun.name].size * canvas.unit * scale * (0.85 + 0.3 * back)
        if noun.name == "vase" and flowers:
            size *= 0.82
        half = min(canvas.width / 2, SUBJECTS[noun.name].span * size / 2)
        x = float(np.clip(canvas.width * share, half, canvas.width - half))
        places.append(Place(noun, x, float(y), float(size), index))
    for place in sorted(places, key=lambda place: place.y):
        if place.noun.name == "vase" and place.index == 0 and flowers:
            paint_vase(stage, place, flowers=True, blossoms=replace(place, noun=flowers))
        else:
            paint_subject(stage, place)


def _choose_default_nouns(rng: np.random.Generator) -> list[Noun]:
    """A table with nothing named on it gets a bottle and fruit, or a bowl and a cup."""
    return [Noun("bottle"), Noun("apple", (), 3)] if rng.random() < 0.5 else [Noun("bowl"), Noun("pear", (), 3)]
