"""Which painter paints which subject, how large it is, and where such things belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from atelier_mcp.server.engine.paint import (
    animals,
    buildings,
    garden,
    playthings,
    portrait,
    space,
    still_life,
    vegetation,
    vehicles,
    vessels,
)
from atelier_mcp.server.engine.paint.stage import Place, Stage

if TYPE_CHECKING:
    import numpy as np

    from atelier_mcp.server.engine.prompt import Noun

Painter: TypeAlias = Callable[[Stage, Place], None]
Home = Literal["ground", "far ground", "water", "sky", "table", "deep"]


class Subject(NamedTuple):
    """``size`` is a share of the picture's shorter side; ``several`` how many a plural without a number draws.

    ``span`` is the thing's width, its shadow included, and ``rise`` its height, both in its own sizes.
    """

    painter: Painter
    home: Home
    size: float
    several: tuple[int, int] = (3, 4)
    span: float = 1.0
    rise: float = 1.0


SUBJECTS: Final[dict[str, Subject]] = {
    "cat": Subject(animals.cat, "ground", 0.36),
    "dog": Subject(animals.dog, "ground", 0.32, span=1.45),
    "fox": Subject(animals.fox, "ground", 0.3, span=1.5),
    "wolf": Subject(animals.wolf, "ground", 0.32, span=1.5),
    "horse": Subject(animals.horse, "ground", 0.38, span=1.25),
    "rabbit": Subject(animals.rabbit, "ground", 0.24, span=1.0),
    "person": Subject(portrait.figure, "ground", 0.3),
    "mushroom": Subject(vegetation.mushroom, "ground", 0.2, (4, 6)),
    "flower": Subject(vegetation.flower, "ground", 0.24, (7, 9)),
    "tree": Subject(vegetation.tree, "ground", 0.58, span=1.35),
    "blossom": Subject(vegetation.blossom_tree, "ground", 0.62, span=1.5),
    "palm": Subject(vegetation.palm, "ground", 0.56, span=1.4),
    "pine": Subject(vegetation.pine, "ground", 0.5, (5, 7)),
    "cactus": Subject(garden.cactus, "ground", 0.36, (3, 5), span=0.65),
    "pumpkin": Subject(garden.pumpkin, "ground", 0.2, (3, 5), span=1.4),
    "snowman": Subject(playthings.snowman, "ground", 0.38, (2, 3), span=0.9),
    "robot": Subject(playthings.robot, "ground", 0.4, (2, 3), span=0.85),
    "umbrella": Subject(playthings.umbrella, "ground", 0.42, (2, 4), span=1.1),
    "car": Subject(vehicles.car, "ground", 0.19, (2, 3), span=2.7),
    "bicycle": Subject(vehicles.bicycle, "ground", 0.3, (2, 3), span=1.95),
    "house": Subject(buildings.house, "far ground", 0.24, (3, 5), span=1.4),
    "castle": Subject(buildings.castle, "far ground", 0.4, (2, 2), span=1.35),
    "pagoda": Subject(buildings.pagoda, "far ground", 0.44),
    "windmill": Subject(buildings.windmill, "far ground", 0.4, span=1.2),
    "pyramid": Subject(buildings.pyramid, "far ground", 0.3, (3, 3), span=2.0),
    "lighthouse": Subject(buildings.lighthouse, "far ground", 0.42, (2, 2)),
    "bridge": Subject(buildings.bridge, "water", 0.75, (2, 2), span=1.2, rise=0.34),
    "boat": Subject(vessels.sailboat, "water", 0.25, (3, 5), span=1.05),
    "ship": Subject(vessels.tall_ship, "water", 0.36, span=1.5),
    "whale": Subject(animals.whale, "water", 0.24, (2, 3), span=2.3, rise=0.55),
    "balloon": Subject(vessels.balloon, "sky", 0.28, (4, 6)),
    "kite": Subject(playthings.kite, "sky", 0.36, (3, 4), span=0.75),
    "rocket": Subject(vehicles.rocket, "sky", 0.42, (2, 3), span=0.5),
    "aeroplane": Subject(vehicles.aeroplane, "sky", 0.13, (2, 3), span=3.4),
    "heart": Subject(playthings.heart, "sky", 0.24, (5, 7), span=1.05),
    "bird": Subject(animals.flying_bird, "sky", 0.075, (7, 10), rise=0.25),
    "butterfly": Subject(animals.butterfly, "sky", 0.11, (4, 6), span=1.1),
    "planet": Subject(space.planet, "sky", 0.26, (2, 3), span=2.4, rise=1.0),
    "fish": Subject(animals.fish, "deep", 0.15, (5, 8), span=1.7, rise=0.8),
    "apple": Subject(still_life.fruit, "table", 0.2, (3, 5), span=1.3),
    "orange fruit": Subject(still_life.fruit, "table", 0.19, (3, 5), span=1.3),
    "lemon": Subject(still_life.fruit, "table", 0.17, (3, 5), span=1.7, rise=0.75),
    "pear": Subject(still_life.fruit, "table", 0.2, (3, 5), span=1.2),
    "cake": Subject(still_life.cake, "table", 0.32, (2, 2), span=2.4),
    "cup": Subject(still_life.cup, "table", 0.2, (2, 3), span=1.9),
    "vase": Subject(still_life.empty_vase, "table", 0.36, (2, 3)),
    "bottle": Subject(still_life.bottle, "table", 0.5, (2, 3), span=0.7),
    "bowl": Subject(still_life.bowl, "table", 0.24, (2, 3), span=1.6, rise=0.72),
    "candle": Subject(still_life.candle, "table", 0.34, (3, 4)),
    "book": Subject(still_life.book, "table", 0.26, (2, 3), span=1.8, rise=0.4),
}
"""Every subject that has a place of its own in a picture; the others (a moon, fog, hair) belong to some scene."""


def number_of(noun: Noun, rng: np.random.Generator) -> int:
    """How many of it to draw."""
    if noun.count is not None:
        return noun.count
    low, high = SUBJECTS[noun.name].several
    return int(rng.integers(low, high + 1))


def paint_subject(stage: Stage, place: Place) -> None:
    """Paint one thing at its place."""
    SUBJECTS[place.noun.name].painter(stage, place)
