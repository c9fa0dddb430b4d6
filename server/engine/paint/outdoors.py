"""Outdoor scenes: plan the view (background, water, ground), paint it back to front, place the subjects in it.

`plan_view` decides everything that other parts depend on, before anything is painted; what the prompt leaves open it
draws from the generator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint import landscape, storm
from atelier_mcp.server.engine.paint.canvas import smooth_curve
from atelier_mcp.server.engine.paint.city import paint_city
from atelier_mcp.server.engine.paint.colour import get_named_colour, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.sky import paint_sky
from atelier_mcp.server.engine.paint.stage import Place
from atelier_mcp.server.engine.paint.subjects import SUBJECTS, choose_count, paint_subject
from atelier_mcp.server.engine.paint.vegetation import (
    has_sunflowers,
    paint_flower_carpet,
    paint_grass,
    paint_pine,
)
from atelier_mcp.server.engine.paint.water import paint_water
from atelier_mcp.server.engine.paint.weather import paint_fog, paint_weather
from atelier_mcp.server.engine.prompt import Noun, Prompt

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Canvas
    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Colours

# Share of the height above the horizon: a skyline needs sky, a meadow needs ground.
_HORIZONS: Final = {
    "city": 0.74,
    "mountains": 0.66,
    "hills": 0.56,
    "dunes": 0.55,
    "forest": 0.6,
    "shore": 0.56,
    "open": 0.56,
}
LANDFORMS: Final = frozenset({"volcano", "waterfall"})
"""Parts of the land: where there is water they rise on its far side."""
_WATER: Final = rgb("#2b6c88")
_LAKE: Final = rgb("#2f6a74")


@dataclass(frozen=True, slots=True)
class OutdoorView:
    """The plan of an outdoor scene.

    ``back`` is its background (a key of `_HORIZONS`), ``water`` "sea", "lake" or "", ``bank`` the ground before the
    water, "sand", "grass" or ""; with ``headland`` a cliff carries the lighthouse; ``horizon`` is a share of the
    height.
    """

    back: str
    water: str
    bank: str
    headland: bool
    horizon: float


def plan_view(prompt: Prompt, rng: np.random.Generator) -> OutdoorView:
    """Derive the view from the prompt's scenes and subjects; what they leave open is chosen at random.

    The order of the calls is the order of the random numbers: swapping two lines changes every image.
    """
    water = _choose_water(prompt, rng)
    back = _choose_back(prompt, water, rng)
    headland = prompt.has("lighthouse") and water == "sea"
    bank = ""
    if water == "lake":
        bank = "grass"
    elif prompt.has("coast", "palm") and water == "sea" and not headland:
        bank = "sand"
    # Things that stand on land need some where there would be water only.
    if water and not bank and not headland and any(_is_on_land(noun) for noun in prompt.subjects):
        bank = "grass"
    elif back == "city" or (prompt.has("mountains") and water and prompt.has("boat") and rng.random() < 0.5):
        # A city meets its water directly; so does a mountain lake with a boat, half of the time.
        bank = ""
    return OutdoorView(back, water, bank, headland, _HORIZONS[back] + float(rng.uniform(-0.03, 0.03)))


def _is_on_land(noun: Noun) -> bool:
    is_landform = noun.name in LANDFORMS
    return noun.name in SUBJECTS and SUBJECTS[noun.name].zone in {"ground", "far ground", "floor"} and not is_landform


def _choose_water(prompt: Prompt, rng: np.random.Generator) -> str:
    if prompt.has("lake"):
        return "lake"
    if prompt.has("sea", "coast", "harbour"):
        return "sea"
    is_landlocked = prompt.has("mountains", "hills", "meadow", "forest")
    if prompt.has("boat", "ship", "whale", "bridge"):
        return "lake" if is_landlocked or prompt.has("bridge") else "sea"
    if prompt.has("duck") and not prompt.scenes:
        return "lake"
    if prompt.has("lighthouse"):
        return "" if is_landlocked else "sea"
    if prompt.has("city", "neon"):
        return "lake" if rng.random() < 0.75 else ""
    is_unspecified = not prompt.scenes and not prompt.subjects
    return str(rng.choice(["", "", "lake", "sea"])) if is_unspecified else ""


def _choose_back(prompt: Prompt, water: str, rng: np.random.Generator) -> str:
    for scene, back in (
        ("city", "city"),
        ("neon", "city"),
        ("mountains", "mountains"),
        ("desert", "dunes"),
        ("forest", "forest"),
    ):
        if prompt.has(scene):
            return back
    if prompt.has("hills", "meadow") and not water:
        return "mountains" if rng.random() < 0.25 and prompt.has("hills") else "hills"
    if water == "lake":
        return str(rng.choice(["mountains", "hills", "forest"])) if not prompt.has("hills", "meadow") else "hills"
    if water == "sea":
        is_shore = rng.random() < 0.6 and "coast" not in prompt.unwanted
        return "shore" if is_shore or prompt.has("coast", "harbour") else "open"
    return "hills" if prompt.subjects else str(rng.choice(["mountains", "hills", "dunes", "forest"]))


def paint_outdoors(stage: Stage, view: OutdoorView) -> None:
    """Paint the whole view, back to front; water comes after what it mirrors."""
    paint_sky(stage)
    _paint_back(stage, view)
    if view.water:
        _paint_water(stage, view)
    _paint_ground(stage, view)
    _paint_subjects(stage, view)
    paint_weather(stage)


def _paint_back(stage: Stage, view: OutdoorView) -> None:
    if view.back == "mountains":
        landscape.paint_mountains(stage)
    elif view.back == "city":
        paint_city(stage, stage.horizon)
    elif view.back == "dunes":
        landscape.paint_dunes(stage)
    elif view.back == "shore":
        landscape.paint_far_shore(stage)
        if stage.prompt.has("harbour") and "house" not in stage.prompt.unwanted:
            _paint_waterfront(stage)
    elif view.back in {"hills", "forest"} and view.water:
        # Higher than elsewhere: the water, painted next, covers their feet.
        landscape.paint_hills(stage, near=5.0, rise=1.5)
    if view.back == "forest" and view.water:
        _paint_woods(stage, rows=2, nearest=0.16)


def _paint_waterfront(stage: Stage) -> None:
    """A row of painted houses along the far side of a harbour."""
    canvas = stage.canvas
    rng = canvas.make_rng("waterfront")
    walls = ("white", "peach", "beige", "lavender", "mint", "coral")
    x, index = canvas.width * rng.uniform(0.05, 0.25), 0
    while x < canvas.width * 0.85:
        size = canvas.unit * rng.uniform(0.07, 0.1)
        noun = Noun("house", (walls[int(rng.integers(len(walls)))],))
        paint_subject(stage, Place(noun, float(x), stage.horizon + size * 0.04, float(size), index))
        x, index = x + size * rng.uniform(1.0, 1.5), index + 1


def _compute_shore_row(stage: Stage, view: OutdoorView) -> int:
    """The row where the water begins."""
    if view.water == "sea" or view.back == "city":
        return stage.horizon
    # A lake begins below the horizon: the strip between them is the land behind it.
    return int(stage.horizon + stage.canvas.unit * 0.1)


def _paint_water(stage: Stage, view: OutdoorView) -> None:
    own = _choose_water_colour(stage.prompt, _WATER if view.water == "sea" else _LAKE)
    if stage.mood.is_stormy and view.water == "sea":
        storm.paint_stormy_sea(stage, mix(own, rgb("#2c4a4c"), 0.45))
        return
    roughness = 0.3 if view.water == "sea" else 0.14
    if stage.prompt.has("calm"):
        roughness = 0.08
    if stage.mood.is_stormy:
        roughness = 0.62
    paint_water(stage, _compute_shore_row(stage, view), own, roughness=roughness)
    if view.bank:
        landscape.paint_near_bank(stage, kind=view.bank)


def _choose_water_colour(prompt: Prompt, otherwise: Colours) -> Colours:
    for name in ("sea", "lake", "coast", "harbour"):
        noun = prompt.find_scene(name)
        if noun and noun.colours:
            return get_named_colour(noun.colours[0])
    return mix(otherwise, get_named_colour(prompt.colours[-1]), 0.4) if prompt.colours else otherwise


def _paint_ground(stage: Stage, view: OutdoorView) -> None:
    canvas = stage.canvas
    if view.headland:
        storm.paint_headland(stage)
    if view.water or view.back == "dunes":
        return
    if view.back == "city":
        _paint_street(stage)
        return
    landscape.paint_hills(stage, rise=1.0 if view.back == "hills" else 0.6)
    if view.back == "forest":
        _paint_woods(stage, rows=4, nearest=1.0)
    if stage.prompt.has("road"):
        _paint_road(stage)
    # Snow covers grass and flowers.
    if stage.prompt.has("snow"):
        return
    top = canvas.height - canvas.unit * 0.2
    paint_grass(stage, top, landscape.choose_grass_colour(stage))
    flowers = stage.prompt.find_subject("flower")
    is_flowery = stage.prompt.has("meadow") and not stage.prompt.has("autumn") and "flower" not in stage.prompt.unwanted
    # Flowers that were counted stand by themselves: among three hundred others they would not be three.
    if (flowers and flowers.count is None) or is_flowery:
        own = [get_named_colour(name) for name in flowers.colours] if flowers else []
        own = own or ([rgb("#f2b51f")] if flowers and has_sunflowers(stage.prompt) else [])
        colours = own or [stage.accents[0], rgb("#f7f5f0"), rgb("#f4d35e")]
        count = 300 if flowers and flowers.count is None else 110
        paint_flower_carpet(
            stage,
            canvas.height - canvas.unit * 0.3,
            [stage.mood.apply_light(colour) for colour in colours],
            count=count,
        )


def _paint_street(stage: Stage) -> None:
    """Wet asphalt before a city without water, painted as dark calm water."""
    paint_water(stage, stage.horizon, rgb("#2a2c33"), roughness=0.05)


def _paint_road(stage: Stage) -> None:
    """A path that winds towards the horizon."""
    canvas = stage.canvas
    rng = canvas.make_rng("road")
    bend = rng.uniform(0.1, 0.22) * rng.choice([-1, 1]) * canvas.unit
    depth = canvas.height - stage.horizon
    middle = smooth_curve(
        [
            (canvas.width * 0.5 - bend * 0.4, canvas.height * 1.02),
            (canvas.width * 0.5 + bend, stage.horizon + depth * 0.5),
            (canvas.width * 0.5 - bend * 0.35, stage.horizon + depth * 0.25),
            (canvas.width * 0.5 + bend * 0.1, stage.horizon + depth * 0.12),
        ]
    )
    # As wide as it is near: its sides meet at the horizon.
    half = (middle[:, 1] - stage.horizon) / depth * canvas.unit * 0.13
    left, right = middle.copy(), middle.copy()
    left[:, 0] -= half
    right[:, 0] += half
    earth = stage.mood.apply_light(rgb("#b79a70") if not stage.prompt.has("snow") else rgb("#c3ccd6"))
    canvas.poly(np.concatenate([left, right[::-1]]), earth, opacity=0.9, blur=canvas.unit * 0.004)
    canvas.line(left, shade_colour(earth, 0.7), canvas.unit * 0.006, opacity=0.5, blur=canvas.unit * 0.004)


def _paint_woods(stage: Stage, *, rows: int, nearest: float) -> None:
    """Rows of conifers, paler with distance, mist between them; a clearing is left in the nearest."""
    canvas, mood = stage.canvas, stage.mood
    rng = canvas.make_rng("woods")
    depth = canvas.height - stage.horizon
    clearing = rng.uniform(0.35, 0.65)
    noun = Noun("pine", _choose_wood_colours(stage.prompt))
    index = 0
    for row in range(rows):
        near = row / max(1, rows - 1) * nearest
        foot = stage.horizon + depth * (0.06 + 0.62 * near**1.5)
        own = stage.choose_colour(noun, row, rgb("#2f5238"))
        colour = mix(mix(own, mood.haze, 0.72), shade_colour(own, 0.75), near)
        # The farther the more, since they are smaller there; and more in a wide picture.
        count = int((34 - 24 * near) * canvas.width / canvas.unit)
        for x in np.sort(rng.uniform(-0.05, 1.05, count)):
            # A clearing in the nearest rows: a wall of trees would close the picture.
            if near > 0.55 and abs(x - clearing) < 0.2:
                continue
            size = canvas.unit * (0.15 + 0.52 * near**1.2) * rng.uniform(0.7, 1.25)
            y = foot + rng.uniform(-0.02, 0.05) * depth * (0.4 + near)
            paint_pine(
                stage,
                Place(noun, float(x * canvas.width), float(y), float(size), index),
                colour=shade_colour(colour, rng.uniform(0.85, 1.12)),
            )
            index += 1
        if row < rows - 1:
            paint_fog(stage, foot - canvas.unit * 0.03, strength=0.55 if stage.prompt.has("fog") else 0.26)


def _choose_wood_colours(prompt: Prompt) -> tuple[str, ...]:
    forest = prompt.find_scene("forest")
    if forest and forest.colours:
        return forest.colours
    return ("orange", "amber", "crimson") if prompt.has("autumn") else ()


def _paint_subjects(stage: Stage, view: OutdoorView) -> None:
    """Choose a place for every subject, then paint them, farther ones first."""
    rng = stage.canvas.make_rng("places")
    places: list[Place] = []
    for zone in ("sky", "far ground", "water", "ground"):
        nouns = [noun for noun in _select_subjects(stage.prompt) if _choose_zone(noun, view) == zone]
        items = [(noun, index) for noun in nouns for index in range(choose_count(noun, rng))]
        for slot, (noun, index) in enumerate(items):
            places.append(_choose_place(stage, view, noun, zone, (index, slot, len(items)), rng))
    has_flock = view.back in {"shore", "open", "mountains"} and not stage.mood.is_dark and rng.random() < 0.5
    if has_flock and "bird" not in stage.prompt.unwanted:
        flock = Noun("bird", (), None)
        places += [_choose_place(stage, view, flock, "sky", (index, index, 6), rng) for index in range(6)]
    # By the row of the foot. What flies has none: there size tells how near it is.
    for place in sorted(places, key=lambda place: place.y if _choose_zone(place.noun, view) != "sky" else place.size):
        paint_subject(stage, place)
    if stage.prompt.has("rock") and not view.headland:
        _paint_boulders(stage, rng)


def _select_subjects(prompt: Prompt) -> list[Noun]:
    """The subjects that get a place of their own."""
    return [noun for noun in prompt.subjects if noun.name in SUBJECTS and not is_strewn(noun, prompt)]


def is_strewn(noun: Noun, prompt: Prompt) -> bool:
    """Whether these are flowers without a number beside something else to look at: the flower carpet shows them."""
    if noun.name != "flower" or noun.count is not None:
        return False
    return any(other.name in SUBJECTS for other in prompt.subjects if other.name != "flower" or other.count is not None)


def _choose_zone(noun: Noun, view: OutdoorView) -> str:
    zone = SUBJECTS[noun.name].zone
    if zone == "deep":
        return "water" if view.water else "ground"
    if zone in {"table", "floor"}:
        return "ground"
    if zone == "water" and not view.water:
        return "ground"
    return zone


def _choose_place(
    stage: Stage, view: OutdoorView, noun: Noun, zone: str, order: tuple[int, int, int], rng: np.random.Generator
) -> Place:
    """A place for one thing: a slot of its own across the picture, near or far at random, its size by its distance.

    ``order`` is its index among its kind, its slot among all things of the zone, and their number.
    """
    canvas = stage.canvas
    index, slot, total = order
    # Many things are drawn a little smaller, so that a dozen fit.
    size = SUBJECTS[noun.name].size * canvas.unit / (1 + 0.08 * max(0, total - 1))
    if zone == "sky":
        return _choose_sky_place(stage, noun, order, size, rng)
    if noun.name == "lighthouse" and view.headland:
        x, y = storm.get_headland_top(stage, index)
        return Place(noun, x, y, size * (1.0 if index == 0 else 0.6), index)
    share = (slot + 0.5) / total if total > 1 else 0.5
    x = canvas.width * float(np.clip(share + rng.uniform(-0.16, 0.16) / max(1.0, total * 0.7), 0.1, 0.9))
    depth = canvas.height - stage.horizon
    # As a share of the way from the horizon to the lower edge.
    base = {"far ground": 0.34, "water": 0.42}.get(zone, 0.86)
    near = base + (rng.uniform(-0.34, 0.14) * base if total > 1 else rng.uniform(-0.06, 0.06))
    y = stage.horizon + depth * near
    # On the row where the water begins: that is the far shore.
    if view.water and noun.name in LANDFORMS:
        near = base
        y = _compute_shore_row(stage, view) + canvas.unit * 0.01
    elif view.water and zone != "water":
        x, y = _move_onto_bank(stage, view, x, y)
    # Smaller with distance, but never below 0.3: on the horizon itself nothing would be left.
    size *= 0.3 + 0.7 * near / base
    return Place(noun, _clamp_column(canvas, noun, float(x), float(size)), float(y), float(size), index)


def _clamp_column(canvas: Canvas, noun: Noun, x: float, size: float) -> float:
    """The column nearest to ``x`` where a thing of that size is wholly in the picture."""
    # Something wider than the picture goes into its middle.
    half = min(canvas.width / 2, SUBJECTS[noun.name].span * size / 2)
    return float(np.clip(x, half, canvas.width - half))


def _move_onto_bank(stage: Stage, view: OutdoorView, x: float, y: float) -> tuple[float, float]:
    """Land things of a watery picture stand on the dry side of the bank."""
    canvas = stage.canvas
    if not view.bank:
        return x, y
    # The dry side has less than half of the width, so places are drawn together.
    dry = 0.76 if landscape.choose_bank_side(canvas) > 0 else 0.24
    return canvas.width * dry + (x - canvas.width / 2) * 0.45, max(y, canvas.height - canvas.unit * 0.1)


def _choose_sky_place(
    stage: Stage, noun: Noun, order: tuple[int, int, int], size: float, rng: np.random.Generator
) -> Place:
    canvas = stage.canvas
    index, slot, total = order
    share = (slot + 0.5) / total if total > 1 else float(rng.uniform(0.35, 0.65))
    # Golden-ratio steps: balloons side by side in order of size would look like a row of them.
    order_x = (share * 0.618034 * total) % 1.0 if total > 2 else share
    # Birds fly as a flock instead of spreading over the sky.
    if noun.name == "bird":
        order_x = float(np.clip(rng.normal(0.5, 0.16), 0.05, 0.95))
    grow = (1.0, 0.62, 0.42, 0.75, 0.5)[index % 5] if total > 1 else 1.0
    top = (
        stage.horizon * rng.uniform(0.42, 0.82) if noun.name != "butterfly" else stage.horizon * rng.uniform(0.6, 1.25)
    )
    x = _clamp_column(canvas, noun, float(canvas.width * (0.1 + 0.8 * order_x)), float(size * grow))
    # The place is that of the foot: at least its own height below the upper edge.
    return Place(noun, x, float(max(top, size * grow * 1.1)), float(size * grow), index)


def _paint_boulders(stage: Stage, rng: np.random.Generator) -> None:
    canvas = stage.canvas
    for index in range(int(rng.integers(3, 6))):
        size = canvas.unit * rng.uniform(0.05, 0.12)
        x, y = canvas.width * rng.uniform(0.08, 0.92), canvas.height - canvas.unit * rng.uniform(0.03, 0.16)
        outline = np.array([(-1.2, 0.1), (-0.9, -0.5), (-0.1, -0.95), (0.7, -0.65), (1.15, 0.1)]) * size + [x, y]
        storm.paint_rock_mass(
            stage, outline, f"boulder{index}", colour=stage.mood.apply_light(rgb("#8a857c")), cell=size
        )
