"""The table of subjects: which function paints each, in which zone of a picture it belongs, and how large it is.

To add a subject: a painter ``(stage, place) -> None``, a line here, and its words in `vocabulary`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from atelier_mcp.server.engine.paint import (
    animals,
    beasts,
    buildings,
    characters,
    figure,
    flying_animals,
    food,
    furniture,
    garden,
    landforms,
    monuments,
    playthings,
    sea_animals,
    space,
    still_life,
    transport,
    vegetation,
    vehicles,
    vessels,
)
from atelier_mcp.server.engine.paint.stage import Place, Stage

if TYPE_CHECKING:
    import numpy as np

    from atelier_mcp.server.engine.prompt import Noun

Painter: TypeAlias = Callable[[Stage, Place], None]
Zone = Literal["ground", "far ground", "water", "sky", "table", "floor", "deep"]


class Subject(NamedTuple):
    """``size`` is a share of the picture's shorter side; ``plural_range`` how many a plural without a number draws.

    ``span`` is the thing's width, its shadow included, and ``rise`` its height, both in multiples of its size: by them
    a thing is kept inside the picture, and a lone one is fitted into its frame.
    """

    painter: Painter
    zone: Zone
    size: float
    plural_range: tuple[int, int] = (3, 4)
    span: float = 1.0
    rise: float = 1.0


SUBJECTS: Final[dict[str, Subject]] = {
    "cat": Subject(animals.paint_cat, "ground", 0.36),
    "dog": Subject(animals.paint_dog, "ground", 0.32, span=1.45),
    "fox": Subject(animals.paint_fox, "ground", 0.3, span=1.5),
    "wolf": Subject(animals.paint_wolf, "ground", 0.32, span=1.5),
    "horse": Subject(animals.paint_horse, "ground", 0.38, span=1.25),
    "rabbit": Subject(animals.paint_rabbit, "ground", 0.24, span=1.0),
    "bear": Subject(beasts.paint_bear, "ground", 0.32, (2, 3), span=1.7),
    "lion": Subject(beasts.paint_lion, "ground", 0.34, (2, 3), span=1.6, rise=1.05),
    "elephant": Subject(beasts.paint_elephant, "ground", 0.42, (2, 3), span=1.75),
    "cow": Subject(beasts.paint_cow, "ground", 0.32, (3, 4), span=1.75, rise=1.1),
    "sheep": Subject(beasts.paint_sheep, "ground", 0.24, (4, 6), span=1.35),
    "duck": Subject(beasts.paint_duck, "water", 0.19, (3, 5), span=1.5),
    "astronaut": Subject(characters.paint_astronaut, "ground", 0.42, (2, 3), span=0.8),
    "baby": Subject(characters.paint_baby, "ground", 0.3, (2, 3), span=0.95),
    "chair": Subject(furniture.paint_chair, "floor", 0.4, (2, 4), span=0.9, rise=1.04),
    "bed": Subject(furniture.paint_bed, "floor", 0.34, (2, 2), span=2.4),
    "guitar": Subject(furniture.paint_guitar, "floor", 0.6, (2, 3), span=0.5),
    "bus": Subject(transport.paint_bus, "ground", 0.25, (2, 2), span=2.8),
    "train": Subject(transport.paint_train, "ground", 0.24, (2, 2), span=4.0, rise=1.1),
    "tower": Subject(monuments.paint_tower, "far ground", 0.46, (2, 3), span=0.6, rise=1.12),
    "church": Subject(monuments.paint_church, "far ground", 0.4, (2, 2), span=1.3, rise=1.1),
    "volcano": Subject(landforms.paint_volcano, "far ground", 0.46, (2, 2), span=2.4),
    "waterfall": Subject(landforms.paint_waterfall, "far ground", 0.5, (2, 2), span=1.75),
    "person": Subject(figure.paint_figure, "ground", 0.3),
    "mushroom": Subject(vegetation.paint_mushroom, "ground", 0.2, (4, 6)),
    "flower": Subject(vegetation.paint_flower, "ground", 0.24, (7, 9)),
    "tree": Subject(vegetation.paint_tree, "ground", 0.58, span=1.35),
    "blossom": Subject(vegetation.paint_blossom_tree, "ground", 0.62, span=1.5),
    "palm": Subject(vegetation.paint_palm, "ground", 0.56, span=1.4),
    "pine": Subject(vegetation.paint_pine, "ground", 0.5, (5, 7)),
    "cactus": Subject(garden.paint_cactus, "ground", 0.36, (3, 5), span=0.65),
    "pumpkin": Subject(garden.paint_pumpkin, "ground", 0.2, (3, 5), span=1.4),
    "snowman": Subject(playthings.paint_snowman, "ground", 0.38, (2, 3), span=0.9),
    "robot": Subject(playthings.paint_robot, "ground", 0.4, (2, 3), span=0.85),
    "umbrella": Subject(playthings.paint_umbrella, "ground", 0.42, (2, 4), span=1.1),
    "car": Subject(vehicles.paint_car, "ground", 0.19, (2, 3), span=2.7),
    "bicycle": Subject(vehicles.paint_bicycle, "ground", 0.3, (2, 3), span=1.95),
    "house": Subject(buildings.paint_house, "far ground", 0.24, (3, 5), span=1.4),
    "castle": Subject(buildings.paint_castle, "far ground", 0.4, (2, 2), span=1.35),
    "pagoda": Subject(buildings.paint_pagoda, "far ground", 0.44),
    "windmill": Subject(buildings.paint_windmill, "far ground", 0.4, span=1.2),
    "pyramid": Subject(buildings.paint_pyramid, "far ground", 0.3, (3, 3), span=2.0),
    "lighthouse": Subject(buildings.paint_lighthouse, "far ground", 0.42, (2, 2)),
    "bridge": Subject(buildings.paint_bridge, "water", 0.75, (2, 2), span=1.2, rise=0.34),
    "boat": Subject(vessels.paint_sailboat, "water", 0.25, (3, 5), span=1.05),
    "ship": Subject(vessels.paint_tall_ship, "water", 0.36, span=1.5),
    "whale": Subject(sea_animals.paint_whale, "water", 0.24, (2, 3), span=2.3, rise=0.55),
    "balloon": Subject(vessels.paint_balloon, "sky", 0.28, (4, 6)),
    "kite": Subject(playthings.paint_kite, "sky", 0.36, (3, 4), span=0.75),
    "rocket": Subject(vehicles.paint_rocket, "sky", 0.42, (2, 3), span=0.5),
    "aeroplane": Subject(vehicles.paint_aeroplane, "sky", 0.13, (2, 3), span=3.4),
    "heart": Subject(playthings.paint_heart, "sky", 0.24, (5, 7), span=1.05),
    "bird": Subject(flying_animals.paint_flying_bird, "sky", 0.075, (7, 10), rise=0.25),
    "butterfly": Subject(flying_animals.paint_butterfly, "sky", 0.11, (4, 6), span=1.1),
    "planet": Subject(space.paint_planet, "sky", 0.26, (2, 3), span=2.4, rise=1.0),
    "fish": Subject(sea_animals.paint_fish, "deep", 0.15, (5, 8), span=1.7, rise=0.8),
    "apple": Subject(still_life.paint_fruit, "table", 0.2, (3, 5), span=1.3),
    "orange fruit": Subject(still_life.paint_fruit, "table", 0.19, (3, 5), span=1.3),
    "lemon": Subject(still_life.paint_fruit, "table", 0.17, (3, 5), span=1.7, rise=0.75),
    "pear": Subject(still_life.paint_fruit, "table", 0.2, (3, 5), span=1.2),
    "cake": Subject(still_life.paint_cake, "table", 0.32, (2, 2), span=2.4),
    "cup": Subject(still_life.paint_cup, "table", 0.2, (2, 3), span=1.9),
    "vase": Subject(still_life.paint_empty_vase, "table", 0.36, (2, 3)),
    "bottle": Subject(still_life.paint_bottle, "table", 0.5, (2, 3), span=0.7),
    "bowl": Subject(still_life.paint_bowl, "table", 0.24, (2, 3), span=1.6, rise=0.72),
    "candle": Subject(still_life.paint_candle, "table", 0.34, (3, 4)),
    "pizza": Subject(food.paint_pizza, "table", 0.26, (2, 2), span=2.3, rise=0.95),
    "book": Subject(still_life.paint_book, "table", 0.26, (2, 3), span=1.8, rise=0.4),
}
"""Every subject that has a place of its own in a picture; the others (a moon, fog, hair) belong to some scene."""


def choose_count(noun: Noun, rng: np.random.Generator) -> int:
    """How many to draw: the number asked for, or one at random for a plural without a number."""
    if noun.count is not None:
        return noun.count
    low, high = SUBJECTS[noun.name].plural_range
    return int(rng.integers(low, high + 1))


def paint_subject(stage: Stage, place: Place) -> None:
    """Paint one thing at its place."""
    SUBJECTS[place.noun.name].painter(stage, place)
