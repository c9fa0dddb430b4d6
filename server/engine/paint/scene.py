"""Composition: decide which kind of picture a prompt asks for, and paint that kind with its subjects in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.abstract import paint_flow, paint_geometry
from atelier_mcp.server.engine.paint.colour import Mood, choose_accents, choose_mood, get_named_colour, rgb
from atelier_mcp.server.engine.paint.outdoors import paint_outdoors, plan_view
from atelier_mcp.server.engine.paint.portrait import paint_backdrop, paint_bust
from atelier_mcp.server.engine.paint.posed_figure import paint_posed_figure
from atelier_mcp.server.engine.paint.sky import choose_sun_position
from atelier_mcp.server.engine.paint.space import paint_space
from atelier_mcp.server.engine.paint.stage import Place, Stage
from atelier_mcp.server.engine.paint.still_life import TABLE_TOP, paint_room, paint_vase
from atelier_mcp.server.engine.paint.subjects import SUBJECTS, choose_count, paint_subject
from atelier_mcp.server.engine.paint.surfaces import choose_surface, paint_surface
from atelier_mcp.server.engine.paint.underwater import paint_underwater
from atelier_mcp.server.engine.prompt import Noun, Prompt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.engine.paint.canvas import Canvas, Point
    from atelier_mcp.server.engine.pixels import Colours

LANDSCAPES: Final = (
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
SITTERS: Final = frozenset(
    [
        "cat",
        "dog",
        "fox",
        "wolf",
        "horse",
        "rabbit",
        "bear",
        "lion",
        "elephant",
        "cow",
        "sheep",
        "duck",
        "robot",
        "snowman",
        "astronaut",
        "baby",
    ]
)
"""Who but a person can sit for a portrait: they are painted whole."""


def choose_kind(prompt: Prompt) -> str:
    """The kind of picture: "space", "underwater", "portrait", "plain", "interior", "still life", "geometry", "flow",
    "surface" or "outdoors".

    The first that fits: a named landscape wins over what a subject suggests ("a woman at the sea" is no portrait), a
    subject over the word "portrait" ("portrait of a cat" is no woman), and what fits nothing is outdoors.
    """
    is_anywhere = not prompt.has(*LANDSCAPES)
    if prompt.surfaces and choose_surface(prompt):
        return "surface"
    if prompt.has("space") or (prompt.has("planet") and is_anywhere) or (is_anywhere and _is_in_orbit(prompt)):
        return "space"
    if prompt.has("underwater") or (prompt.has("fish") and not prompt.has("boat", "lake", "meadow", "plain")):
        return "underwater"
    if _is_portrait(prompt, is_anywhere=is_anywhere):
        return "portrait"
    if prompt.has("plain") and is_anywhere:
        return "plain"
    if is_anywhere and _has_zone(prompt, "floor") and not _has_table_subject(prompt):
        return "interior"
    if prompt.has("still life") or (_has_table_subject(prompt) and is_anywhere):
        return "still life"
    if prompt.has("geometric"):
        return "geometry"
    if prompt.has("abstract") and not any(noun.name in SUBJECTS for noun in prompt.subjects):
        return "flow"
    return "outdoors"


def _is_in_orbit(prompt: Prompt) -> bool:
    """Whether there is an astronaut and nothing that stands on a ground."""
    others = [noun for noun in list_placeable(prompt) if noun.name != "astronaut"]
    return prompt.has("astronaut") and not prompt.has("portrait", "plain") and not others


def _is_portrait(prompt: Prompt, *, is_anywhere: bool) -> bool:
    """Whether somebody sits for the picture: the word alone means a person only where nothing else is named."""
    if prompt.has("person"):
        return prompt.has("portrait") or is_anywhere
    if not list_placeable(prompt):
        return prompt.has("portrait")
    return is_anywhere and (
        (prompt.has("portrait") and prompt.has(*SITTERS)) or (prompt.has("baby") and not prompt.has("plain"))
    )


def list_placeable(prompt: Prompt) -> list[Noun]:
    """The subjects that have a painter of their own."""
    return [noun for noun in prompt.subjects if noun.name in SUBJECTS]


def find_sitter(prompt: Prompt) -> Noun:
    """Who sits for a portrait."""
    person = prompt.find_subject("person")
    return person or next((noun for noun in prompt.subjects if noun.name in SITTERS), Noun("person"))


def _has_zone(prompt: Prompt, zone: str) -> bool:
    return any(SUBJECTS[noun.name].zone == zone for noun in list_placeable(prompt))


def _has_table_subject(prompt: Prompt) -> bool:
    """Whether it shows what belongs on a table."""
    return is_bouquet(prompt) or _has_zone(prompt, "table")


def is_bouquet(prompt: Prompt) -> bool:
    """Whether the prompt's flowers are cut and bound."""
    # The vocabulary has one subject for all flowers: only the prompt's own words tell.
    return any("bouquet" in phrase or phrase == "花束" for phrase in prompt.understood)


def compose(canvas: Canvas, prompt: Prompt) -> None:
    """Paint the prompt on the canvas."""
    kind = choose_kind(prompt)
    surface = choose_surface(prompt)
    if kind == "surface" and surface:
        paint_surface(canvas, prompt, surface)
        return
    mood = choose_mood(prompt, canvas.make_rng("mood"))
    if kind == "outdoors":
        _compose_outdoors(canvas, prompt, mood)
        return
    stage = build_indoor_stage(canvas, prompt, mood, kind)
    if kind == "portrait":
        _paint_portrait(_paint_setting(stage))
        return
    _compose_indoors(stage, kind)


def compose_poses(canvas: Canvas, prompt: Prompt, poses: Sequence[Mapping[str, Point]]) -> None:
    """Paint the prompt with its person, or a person if it has none, once in each pose: joints by name, in pixels."""
    kind = choose_kind(prompt)
    mood = choose_mood(prompt, canvas.make_rng("mood"))
    # The landscape is painted without its person, who then comes in with the poses.
    others = replace(prompt, subjects=tuple(noun for noun in prompt.subjects if noun.name != "person"))
    if kind == "outdoors":
        stage = replace(_compose_outdoors(canvas, others, mood), prompt=prompt)
    else:
        stage = build_indoor_stage(canvas, prompt, mood, kind)
        if kind == "portrait":
            stage = _paint_setting(stage)
        else:
            _compose_indoors(stage, kind)
    noun = prompt.find_subject("person") or Noun("person")
    for index, pose in enumerate(poses):
        paint_posed_figure(stage, noun, pose, index)


def _compose_outdoors(canvas: Canvas, prompt: Prompt, mood: Mood) -> Stage:
    view = plan_view(prompt, canvas.make_rng("view"))
    stage = _build_stage(canvas, prompt, mood, view.horizon)
    paint_outdoors(stage, view)
    return stage


def _compose_indoors(stage: Stage, kind: str) -> None:
    """Paint a picture that is neither a landscape nor a portrait."""
    canvas, prompt = stage.canvas, stage.prompt
    if kind == "space":
        paint_space(stage)
        _scatter_subjects(stage, "sky", middle=0.62)
    elif kind == "underwater":
        paint_underwater(stage)
        _scatter_subjects(stage, "deep", middle=0.55)
    elif kind == "plain":
        canvas.image[:] = choose_ground_colour(prompt)
        _paint_row(stage, list_placeable(prompt), foot=0.5, tallest=0.72)
    elif kind == "interior":
        paint_room(stage)
        _paint_row(stage, list_interior_subjects(prompt), foot=0.9, tallest=0.62)
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
    # Under water the hour shows as darkness, and as nothing else.
    if kind == "underwater":
        light = replace(light, key=mood.key)
    sun = (canvas.width * 0.1, -canvas.height * 0.2)
    return Stage(
        canvas, prompt, light, int(canvas.height * 0.62), sun, choose_accents(prompt, canvas.make_rng("accents"))
    )


def choose_ground_colour(prompt: Prompt) -> Colours:
    """The colour of a plain ground: its own, else one for the whole picture, else white."""
    ground = prompt.find_scene("plain")
    own = ground.colours if ground else ()
    return get_named_colour((*own, *prompt.colours)[0]) if own or prompt.colours else rgb("#ffffff")


def list_interior_subjects(prompt: Prompt) -> list[Noun]:
    """What stands on the floor of a room: furniture, animals, flowers; no houses, ships or clouds."""
    return [noun for noun in list_placeable(prompt) if SUBJECTS[noun.name].zone in {"floor", "ground"}]


def _paint_row(stage: Stage, nouns: list[Noun], *, foot: float, tallest: float) -> None:
    """Things side by side, as large as the frame allows and in proportion to each other.

    Their feet are at a share ``foot`` of the height; at 0.5 they are centred.
    """
    canvas, rng = stage.canvas, stage.canvas.make_rng("row")
    items = [(noun, index) for noun in nouns for index in range(choose_count(noun, rng))]
    if not items:
        return
    largest = max(SUBJECTS[noun.name].size for noun, _ in items)
    # A small thing beside a large one stays visible: the root halves the difference.
    shares = [float(np.sqrt(SUBJECTS[noun.name].size / largest)) for noun, _ in items]
    width = sum(SUBJECTS[noun.name].span * share for (noun, _), share in zip(items, shares, strict=True))
    rise = max(SUBJECTS[noun.name].rise * share for (noun, _), share in zip(items, shares, strict=True))
    tall_px = min(canvas.height * tallest / rise, canvas.width * 0.92 / width)
    y = canvas.height * foot if foot != 0.5 else (canvas.height + tall_px * rise) / 2
    left = (canvas.width - width * tall_px) / 2
    for (noun, index), share in zip(items, shares, strict=True):
        half = SUBJECTS[noun.name].span * share * tall_px / 2
        paint_subject(stage, Place(noun, left + half, y, tall_px * share, index))
        left += 2 * half


def is_scattered(noun: Noun, zone: str) -> bool:
    """Whether a thing belongs in a picture of space ("sky") or of the sea ("deep")."""
    at_home = noun.name == "astronaut" and zone == "sky"
    return SUBJECTS[noun.name].zone == zone or noun.name in _WATERY or at_home


def _scatter_subjects(stage: Stage, zone: str, *, middle: float) -> None:
    """Paint every subject of that zone, the first and largest near the middle, the others around it."""
    canvas = stage.canvas
    rng = canvas.make_rng("scatter")
    nouns = [noun for noun in list_placeable(stage.prompt) if is_scattered(noun, zone)]
    if zone == "deep" and not nouns and "fish" not in stage.prompt.unwanted:
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
            # The place is that of the feet: a figure needs its own height above them.
            if noun.name == "astronaut":
                size, y = size * 0.8, max(y, size * 0.9)
            places.append(Place(noun, canvas.width * (0.14 + 0.72 * share), y, float(size), index))
    # The painter's algorithm: smaller is farther.
    for place in sorted(places, key=lambda place: place.size):
        paint_subject(stage, place)


def _paint_setting(stage: Stage) -> Stage:
    """Paint what is behind a sitter: a landscape if one is named, else a wall; returns the stage in its light."""
    canvas = stage.canvas
    if stage.prompt.has(*LANDSCAPES) or stage.prompt.time_of_day:
        mood = choose_mood(stage.prompt, canvas.make_rng("mood"))
        # Without subjects: what the prompt names sits before the landscape and does not stand in it.
        view = plan_view(replace(stage.prompt, subjects=()), canvas.make_rng("view"))
        outdoors = _build_stage(canvas, replace(stage.prompt, subjects=()), mood, 0.62)
        paint_outdoors(outdoors, view)
        # A face at night would be all dark: the sitter has more light than what is behind.
        stage = replace(outdoors, prompt=stage.prompt, mood=replace(mood, key=max(mood.key, 0.5)))
    elif stage.prompt.has("plain"):
        canvas.image[:] = choose_ground_colour(stage.prompt)
    else:
        paint_backdrop(stage)
    return stage


def _paint_portrait(stage: Stage) -> None:
    canvas = stage.canvas
    noun = find_sitter(stage.prompt)
    if noun.name != "person":
        _paint_row(stage, [noun], foot=0.9, tallest=0.78)
        return
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
    # Flowers on a table need something to stand in.
    if flowers and not prompt.has("vase") and "vase" not in prompt.unwanted:
        nouns.insert(0, Noun("vase"))
    items = [(noun, index) for noun in nouns or _choose_default_nouns(rng) for index in range(choose_count(noun, rng))]
    spread = min(0.74, 0.2 * len(items))
    crowd = 1 + 0.12 * max(0, len(items) - 3)
    # A tall picture has room above the table: things grow into it.
    scale = 1.25 / crowd * float(np.clip((canvas.height / canvas.width) ** 0.4, 1.0, 1.45))
    places: list[Place] = []
    for slot, (noun, index) in enumerate(items):
        share = 0.5 + spread * ((slot + 0.5) / len(items) - 0.5) + rng.uniform(-0.02, 0.02)
        back = 0.3 if SUBJECTS[noun.name].size > 0.3 else rng.uniform(0.42, 0.72)
        y = canvas.height * (TABLE_TOP + (1 - TABLE_TOP) * back)
        size = SUBJECTS[noun.name].size * canvas.unit * scale * (0.85 + 0.3 * back)
        # Smaller, as the bouquet comes on top of it.
        if noun.name == "vase" and flowers:
            size *= 0.82
        half = min(canvas.width / 2, SUBJECTS[noun.name].span * size / 2)
        x = float(np.clip(canvas.width * share, half, canvas.width - half))
        places.append(Place(noun, x, float(y), float(size), index))
    for place in sorted(places, key=lambda place: place.y):
        # The first vase has all flowers; further ones stay empty.
        if place.noun.name == "vase" and place.index == 0 and flowers:
            paint_vase(stage, place, flowers=True, blossoms=replace(place, noun=flowers))
        else:
            paint_subject(stage, place)


def _choose_default_nouns(rng: np.random.Generator) -> list[Noun]:
    """A table with nothing named on it gets a bottle and fruit, or a bowl and a cup."""
    return [Noun("bottle"), Noun("apple", (), 3)] if rng.random() < 0.5 else [Noun("bowl"), Noun("pear", (), 3)]
