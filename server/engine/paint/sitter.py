"""Who is painted in a portrait or as a figure: skin, hair, eyes and clothes, by the prompt or at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.paint.canvas import Point, smooth_curve
from atelier_mcp.server.engine.paint.colour import mix, rgb

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours

_SKINS: Final = ("#e8b99a", "#d3a07c", "#a8714c", "#8a5a3c", "#f0cfb6")
_HAIRS: Final = ("#2a1d18", "#5b3a24", "#9a6a38", "#1b1a1f", "#7a3a22")
_EYES: Final = ("#4a6d8c", "#5b4630", "#5f7a4e", "#3d2c22")
_WOMEN: Final = frozenset({"woman", "girl", "lady", "women", "girls", "ladies", "女人", "女孩", "少女", "女子"})
_MEN: Final = frozenset({"man", "boy", "men", "boys", "男人", "男孩", "少年", "男子"})


@dataclass(frozen=True, slots=True)
class Sitter:
    """The colours of a person, under the light of the stage; long hair goes with lashes, lips and a dress."""

    skin: Colours
    hair: Colours
    iris: Colours
    clothes: Colours
    long_hair: bool


def choose_sitter(stage: Stage, place: Place) -> Sitter:
    """The person at a place: what the prompt says of eyes, hair, skin and clothes, the rest at random.

    Woman and man are one subject, "person", in the vocabulary, so the prompt's own words are looked through here.
    """
    rng = stage.canvas.make_rng(f"sitter{place.index}")
    words = set(stage.prompt.words)
    text = "".join(stage.prompt.words)
    # Chinese is written without spaces: its words are looked for within the text.
    is_woman = bool(words & _WOMEN) or any(word in text for word in _WOMEN if ord(word[0]) > 255)
    is_man = bool(words & _MEN) or any(word in text for word in _MEN if ord(word[0]) > 255)
    long_hair = is_woman if is_woman != is_man else bool(rng.random() < 0.5)

    def choose_feature(name: str, choices: tuple[str, ...]) -> Colours:
        # Drawn even where the prompt decides: naming the hair must not change the eyes.
        spare = rgb(choices[int(rng.integers(len(choices)))])
        return stage.choose_colour(stage.prompt.find_subject(name), place.index, spare)

    skin, hair, iris = choose_feature("skin", _SKINS), choose_feature("hair", _HAIRS), choose_feature("eyes", _EYES)
    if stage.prompt.find_subject("hair"):
        # "Red hair" is not red: what is named is mixed with brown.
        hair = mix(hair, rgb("#5a3a28"), 0.35)
    # "A girl in red": without a garment of its own the colour is that of the clothes.
    garment = stage.prompt.find_subject("garment") or place.noun
    clothes = stage.choose_colour(garment, place.index, stage.accents[0])
    return Sitter(skin, hair, iris, clothes, long_hair)


def make_closed_curve(place: Place, *points: Point) -> list[Point]:
    """A smooth closed outline on the canvas, through points in the person's own height."""
    curve = smooth_curve(place.to_canvas_points(*points), closed=True)
    return [(float(x), float(y)) for x, y in curve]
