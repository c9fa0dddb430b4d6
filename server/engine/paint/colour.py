"""Colours of a painting: mixing, tinting, gradients, and the `Mood` that the hour and the weather give a picture.

One set of colours per hour, chosen and tuned by hand, keeps everything in a picture in one light; a thing's own colour
passes through `Mood.apply_light`. Colours are ``float32`` arrays of three in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.vocabulary import COLOUR_VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.engine.pixels import Array, Colours
    from atelier_mcp.server.engine.prompt import Prompt


def rgb(value: str) -> Colours:
    """The colour of an ``#rrggbb`` value, three floats in [0, 1]."""
    digits = value.lstrip("#")
    return np.array([int(digits[at : at + 2], 16) for at in (0, 2, 4)], np.float32) / np.float32(255)


def get_named_colour(name: str) -> Colours:
    """The colour of a name of the vocabulary."""
    return rgb(COLOUR_VALUES[name])


WHITE: Final[Colours] = rgb("#ffffff")


def mix(first: Array, second: Array, share: float | Array) -> Colours:
    """``first`` where the share is 0, ``second`` where it is 1."""
    return first + (second - first) * share


def shade_colour(colour: Colours, factor: float) -> Colours:
    """The colour times a factor, kept within [0, 1]."""
    return np.clip(colour * np.float32(factor), 0, 1)


def to_lab(colour: Colours) -> Colours:
    """CIELAB of one colour."""
    return cv2.cvtColor(colour.reshape(1, 1, 3).astype(np.float32), cv2.COLOR_RGB2LAB)[0, 0]


def from_lab(lab: Array) -> Colours:
    """One colour of its CIELAB, clipped to what a screen shows."""
    return np.clip(cv2.cvtColor(lab.reshape(1, 1, 3).astype(np.float32), cv2.COLOR_LAB2RGB)[0, 0], 0, 1)


def tint_colour(colour: Colours, towards: Colours, share: float) -> Colours:
    """The colour with its hue moved towards another's (in Lab); its lightness moves a third as far.

    A sky tinted yellow stays as dark as it was at the zenith.
    """
    own, other = to_lab(colour), to_lab(towards)
    moved = own + (other - own) * np.array([share * 0.35, share, share], np.float32)
    return from_lab(moved)


def make_gradient(stops: Sequence[Colours], length: int) -> Colours:
    """``(length, 3)`` colours passing smoothly through the stops, without the bands a linear ramp shows at each."""
    position = np.linspace(0, 1, length, dtype=np.float32) * (len(stops) - 1)
    lower = np.clip(position.astype(np.intp), 0, len(stops) - 2)
    share = (position - lower)[:, None]
    share = share * share * (3 - 2 * share)
    table = np.stack(stops)
    return mix(table[lower], table[lower + 1], share).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Mood:
    """The light of a picture.

    ``time`` is an hour of `MOODS`, or the kind of an indoor picture. ``sky`` runs from the zenith to the horizon,
    ``haze`` is the colour of distance, ``light`` and ``shade`` those of lit and unlit sides, ``key`` the brightness of
    the whole in (0, 1].
    """

    time: str
    sky: tuple[Colours, ...]
    light: Colours
    shade: Colours
    haze: Colours
    key: float
    is_stormy: bool = False

    def apply_light(self, colour: Colours) -> Colours:
        """A thing's own colour under this light."""
        under_light = colour * (0.45 + 0.55 * self.light)
        dimmed = under_light * np.float32(0.25 + 0.75 * self.key)
        return np.clip(mix(dimmed, self.haze, 0.06), 0, 1)

    @property
    def is_dark(self) -> bool:
        """Whether lamps are lit."""
        # Between the sunsets (0.58 to 0.6), where lamps are lit, and the dawns (0.7 and more), where they are not.
        return self.key < 0.63


def _parse_mood(time: str, sky: str, lights: str, key: float) -> Mood:
    light, shade, haze = map(rgb, lights.split())
    return Mood(time, tuple(map(rgb, sky.split())), light, shade, haze, key)


MOODS: Final[Mapping[str, tuple[Mood, ...]]] = {
    "day": (
        _parse_mood("day", "#2f74bd #5da3dc #9fcdec #dfeff6", "#fff6df #6f8fb8 #bcd8e9", 1.0),
        _parse_mood("day", "#3a7cc4 #76b1e0 #b6d9ef #f3f1e4", "#fff2cf #7b93b4 #cbdde6", 1.0),
        _parse_mood("day", "#2a6a9e #5f9fc4 #a5cfdd #e6f0e8", "#fff4d8 #64879f #bfd9db", 0.97),
    ),
    "dawn": (
        _parse_mood("dawn", "#50689f #a29ccb #f1b9b4 #fde4bd", "#ffdcb0 #6a6f9c #e8c6c4", 0.74),
        _parse_mood("dawn", "#4a7399 #93b4c9 #f3cdb6 #ffe9c4", "#ffe3b8 #64799a #dccfc8", 0.78),
        _parse_mood("dawn", "#655c93 #bb90b4 #f6ab9f #fcd9a8", "#ffcf9d #6d6390 #e5b8b4", 0.7),
    ),
    "sunset": (
        _parse_mood("sunset", "#2c2d68 #8d4580 #ee7550 #fdd07a", "#ffb463 #4a3a6c #e58f6e", 0.6),
        _parse_mood("sunset", "#23365f #6b5586 #e5825f #ffc873", "#ffbd6b #3e4370 #d99677", 0.6),
        _parse_mood("sunset", "#3b1f4e #a63d64 #f2694a #ffbe5c", "#ffa24e #4f2f5e #e07d5c", 0.58),
    ),
    "night": (
        _parse_mood("night", "#070b24 #101b45 #22336b #41528a", "#bfcfff #1c2650 #33436f", 0.25),
        _parse_mood("night", "#06101f #0c2440 #1d4263 #3c6a86", "#bfe3f5 #17324a #2f5872", 0.25),
        _parse_mood("night", "#0d0822 #1d1446 #3a2b6e #5d4c8e", "#d3c8ff #251c50 #443a70", 0.25),
    ),
    "storm": (
        _parse_mood("storm", "#1b222c #333d4a #56636e #98a3a4", "#dfe8ea #2a333d #78868d", 0.55),
        _parse_mood("storm", "#161f2b #2b3e4d #4f6a75 #a3b0a8", "#e2ead9 #243440 #728a90", 0.55),
        _parse_mood("storm", "#201f2b #3e3a4a #655f6b #b2a193", "#f0dfc8 #302d3a #85807f", 0.55),
    ),
}
"""The light of each hour, several to choose from; a storm has its own."""

_ACCENTS: Final = ("#c8322b", "#e8863a", "#7442a8", "#2f6fbd", "#d9527a", "#2a9d8f", "#e0b13a")


def choose_mood(prompt: Prompt, rng: np.random.Generator) -> Mood:
    """The light a prompt asks for, chosen among that hour's, tinted with the colours that belong to no noun."""
    hour = _choose_hour(prompt, rng)
    mood = MOODS[hour][int(rng.integers(len(MOODS[hour])))]
    stormy = prompt.has("storm", "lightning")
    # Without an hour a storm has moods of its own; with one, that hour's mood is darkened.
    if stormy and prompt.time_of_day:
        mood = _darken_for_storm(mood)
    tints = [get_named_colour(name) for name in _list_image_colours(prompt)]
    if tints:
        # The colours in turn, from the zenith down.
        sky = tuple(tint_colour(colour, tints[index % len(tints)], 0.42) for index, colour in enumerate(mood.sky))
        mood = replace(mood, sky=sky, haze=tint_colour(mood.haze, tints[0], 0.4))
    # By day only: rain at sunset keeps that hour's colours.
    if prompt.has("rain", "cloudy") and not stormy and hour == "day":
        grey = rgb("#a9b2b8")
        mood = replace(mood, sky=tuple(mix(colour, grey, 0.55) for colour in mood.sky), key=0.8)
    return replace(mood, is_stormy=stormy)


def _list_image_colours(prompt: Prompt) -> tuple[str, ...]:
    sky = prompt.find_subject("sky")
    return (*(sky.colours if sky else ()), *prompt.colours)


def _choose_hour(prompt: Prompt, rng: np.random.Generator) -> str:
    if prompt.time_of_day:
        return prompt.time_of_day
    if prompt.has("storm", "lightning"):
        return "storm"
    if prompt.has("neon", "moon", "star", "aurora", "comet"):
        return "night"
    # Mostly day: at dusk the colours a prompt names are hardly recognised.
    return str(rng.choice(["day", "day", "day", "sunset", "dawn"]))


def _darken_for_storm(mood: Mood) -> Mood:
    grey = rgb("#3a434c")
    return replace(mood, sky=tuple(mix(colour, grey, 0.5) for colour in mood.sky), key=min(mood.key, 0.55))


def choose_accents(prompt: Prompt, rng: np.random.Generator) -> tuple[Colours, Colours]:
    """Two colours for things whose own was not said."""
    spare = [rgb(_ACCENTS[int(index)]) for index in rng.permutation(len(_ACCENTS))]
    first, second, *_ = [*(get_named_colour(name) for name in prompt.colours), *spare]
    return first, second
