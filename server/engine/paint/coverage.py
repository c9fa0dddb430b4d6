"""What of a prompt is in its picture, and what was understood and dropped.

Each kind of picture shows some things and has no place for others: a portrait has no church, a still life no sunset.
This module states the rules that the painters follow; `tests/engine/test_coverage.py` holds it to them, since what is
reported as missing must make no difference to the pixels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from atelier_mcp.server.engine.paint.outdoors import is_strewn, plan_view
from atelier_mcp.server.engine.paint.scene import (
    LANDSCAPES,
    SITTERS,
    choose_kind,
    find_sitter,
    is_scattered,
    list_interior_subjects,
    list_placeable,
)
from atelier_mcp.server.engine.paint.subjects import SUBJECTS
from atelier_mcp.server.engine.paint.surfaces import SKY_THINGS, SKY_WEATHERS, choose_surface, find_surface_noun
from atelier_mcp.server.engine.phrases import NOUN_KINDS
from atelier_mcp.server.engine.prompt import join_words
from atelier_mcp.server.engine.vocabulary import COATED, MASS_PLURALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from atelier_mcp.server.engine.paint.outdoors import OutdoorView
    from atelier_mcp.server.engine.prompt import Mention, Noun, Prompt
    from atelier_mcp.server.engine.vocabulary import Term

# Night darkens a room (`still_life.paint_room`), and in space it always is; of other hours nothing is seen there.
_DARK_TIMES: Final = frozenset({"night"})
# The hours whose mood is dark (`Mood.is_dark`): under water only the darkness shows.
_DEEP_TIMES: Final = frozenset({"night", "sunset"})
# As many busts as `scene` paints side by side.
_MOST_SITTERS: Final = 3
_POSES: Final = {
    "sitting": frozenset({"cat", "rabbit", "baby", "duck"}),
    "standing": frozenset(SITTERS - {"cat", "rabbit", "baby", "duck"}) | {"person"},
    "moving": frozenset({"fish", "whale", "duck"}),
    "flying": frozenset(name for name, subject in SUBJECTS.items() if subject.zone == "sky"),
    "floating": frozenset({"boat", "ship", "balloon", "duck", "whale", "astronaut"}),
}
"""In which pose things are drawn, and always are."""
_IN_PROFILE: Final = frozenset(
    [
        "dog",
        "fox",
        "wolf",
        "horse",
        "rabbit",
        "bear",
        "elephant",
        "cow",
        "sheep",
        "duck",
        "car",
        "bicycle",
        "bus",
        "train",
        "aeroplane",
        "boat",
        "ship",
        "whale",
        "fish",
    ]
)
SOURCE_WEATHERS: Final = ("autumn", "snow", "rain", "storm", "fog")
"""What `regrade` gives to a source image, in the order of its work: haze and rain lie over what is coloured."""
_ANY_WATER: Final = frozenset({"water", "waters", "wave", "waves", "水", "水面", "波浪"})
"""Words for the sea that a lake shows as well."""
_COLOURLESS: Final = frozenset(
    ["city", "portrait", "moon", "sun", "star", "comet", "aurora", "rainbow", "road", "rock"]
)
"""Scenes and subjects that keep their own colours, whatever the prompt says."""
_TWO_COLOURED: Final = frozenset(
    ["lighthouse", "kite", "umbrella", "balloon", "house", "castle", "pagoda", "tower", "church", "chair", "flower"]
)
"""A single one of these shows two colours, of all others one."""


def find_undrawn(prompt: Prompt) -> tuple[str, ...]:
    """The phrases of a prompt that its picture, painted whole, does not show, in the writer's words."""
    surface = choose_surface(prompt)
    if surface and choose_kind(prompt) == "surface":
        # Of a whole picture the style is drawn as well.
        shows = _SurfaceCoverage(prompt, surface).shows
        return _list_phrases(prompt, lambda mention: shows(mention) or _names_chosen_style(mention, prompt))
    return _list_phrases(prompt, _Coverage(prompt).shows)


def find_undrawn_on_source(prompt: Prompt) -> tuple[str, ...]:
    """The same where a source image is repainted: it takes light, colours and style, and its forms stay."""
    # `nightfall` adds these two to a source made dark.
    shown_nouns = {"moon", "star"} if prompt.time_of_day == "night" else set[str]()

    def shows(mention: Mention) -> bool:
        kinds = {term.kind for term in mention.terms}
        # A colour of no noun tints the whole picture, forms or no forms.
        if "colour" in kinds and not mention.names:
            return True
        if any(term.kind == "weather" and term.name in SOURCE_WEATHERS for term in mention.terms):
            return True
        return any(_is_chosen(term, prompt) or term.name in shown_nouns for term in mention.terms)

    return _list_phrases(prompt, shows)


def find_undrawn_under_mask(prompt: Prompt, main: Noun) -> tuple[str, ...]:
    """The same where one thing alone is painted into a masked area, which takes the light around it.

    Hair and eyes are no subjects of their own, and the flowers stand in the vase.
    """
    included = {main.name, "portrait", *(("flower",) if main.name == "vase" else ())}
    if main.name in COATED:
        included.add("fur")
    if main.name == "person":
        included |= {"hair", "eyes", "garment", "hat"}

    def shows(mention: Mention) -> bool:
        kinds = {term.kind for term in mention.terms}
        if kinds & {"style", "time", "weather", "view", "age", "size"} and not kinds & NOUN_KINDS:
            return False
        names = mention.names or ()
        if "pose" in kinds:
            return any(main.name in _POSES.get(term.name, ()) for term in mention.terms)
        if "colour" in kinds and main.name in names and mention.noun:
            return any(term.name in _list_shown_colours(replace(main, count=1)) for term in mention.terms)
        return not names or not included.isdisjoint(names)

    return _list_phrases(prompt, shows)


def find_undrawn_on_surface(prompt: Prompt, surface: str) -> tuple[str, ...]:
    """The same where a sky or a surface alone is painted: its colour, the hour's light, and of a sky its weather."""
    return _list_phrases(prompt, _SurfaceCoverage(prompt, surface).shows)


class _SurfaceCoverage:
    """What the picture of a prompt shows that is one surface."""

    def __init__(self, prompt: Prompt, surface: str) -> None:
        self._prompt = prompt
        self._surface = surface
        self._is_sky = surface == "sky"
        self._shown_names = self._list_shown_names()

    def shows(self, mention: Mention) -> bool:
        """Whether the phrase, or any of its meanings, is in the picture."""
        if mention.noun:
            return self._shows_modifier(mention)
        return any(self._shows_term(term) for term in mention.terms)

    def _list_shown_names(self) -> frozenset[str]:
        prompt = self._prompt
        if not self._is_sky:
            noun = find_surface_noun(prompt)
            return frozenset({noun.name} if noun else ())
        hidden = {"sun", "moon", "star"} if prompt.has("storm", "lightning") else set[str]()
        if prompt.time_of_day == "night":
            hidden.add("sun")
        elif prompt.time_of_day is not None:
            hidden.add("star")
        return SKY_THINGS - hidden

    def _shows_term(self, term: Term) -> bool:
        match term.kind:
            case "scene" | "subject" | "surface":
                return term.name in self._shown_names
            case "time":
                return term.name == self._prompt.time_of_day
            case "weather":
                return self._shows_weather(term.name)
            case "colour":
                return self._shows_colour(term.name)
            case _:
                return False

    def _shows_weather(self, name: str) -> bool:
        if not self._is_sky:
            return (self._surface, name) in {("snow", "snow"), ("water", "calm")}
        is_stormy = self._prompt.has("storm", "lightning")
        return name in {*SKY_WEATHERS, "snow", "calm"} and not (is_stormy and name in {"cloudy", "rain", "clear"})

    def _shows_modifier(self, mention: Mention) -> bool:
        term = mention.terms[0]
        if term.kind == "number":
            return term.name in {"1", "many"}
        return not self._shown_names.isdisjoint(mention.names) and self._shows_colour(term.name)

    def _shows_colour(self, name: str) -> bool:
        prompt = self._prompt
        if self._is_sky:
            sky = prompt.find_subject("sky")
            return name in (*(sky.colours if sky else ()), *prompt.colours)
        noun = find_surface_noun(prompt)
        return (*(noun.colours if noun else ()), *prompt.colours)[:1] == (name,)


def _list_shown_colours(noun: Noun) -> tuple[str, ...]:
    """The colours that are to be seen on a noun: one for each thing of it, of some things two."""
    if noun.name not in SUBJECTS:
        return noun.colours
    # Things take the colours in turn, so n things show no more than n.
    most = 2 if noun.name in _TWO_COLOURED and noun.count == 1 else noun.count
    return noun.colours if most is None else noun.colours[:most]


def _is_chosen(term: Term, prompt: Prompt) -> bool:
    """Whether it is the one time or the one style of the picture."""
    return (term.kind, term.name) in {("time", prompt.time_of_day), ("style", prompt.style)}


def _names_chosen_style(mention: Mention, prompt: Prompt) -> bool:
    return any(term.kind == "style" and term.name == prompt.style for term in mention.terms)


def _list_phrases(prompt: Prompt, shows: Callable[[Mention], bool]) -> tuple[str, ...]:
    """The phrases that are not shown; a noun comes with its colours and its number."""
    phrases: list[str] = []
    modifiers: list[Mention] = []
    for mention in prompt.mentions:
        is_noun = any(term.kind in NOUN_KINDS for term in mention.terms) or (mention.names and not mention.noun)
        if mention.noun:
            modifiers.append(mention)
        elif not is_noun:
            phrases += [] if shows(mention) else [mention.text]
        else:
            own = [one for one in modifiers if one.noun == mention.text]
            if shows(mention):
                # It is drawn, but perhaps without its colour or number.
                phrases += [_format_modifier(one) for one in own if not shows(one)]
            else:
                # Of a noun that is missing the whole phrase is named: "two red churches".
                phrases.append(join_words([*(one.text for one in own), mention.text]))
            modifiers.clear()
    return tuple(dict.fromkeys(phrases))


def _format_modifier(mention: Mention) -> str:
    return f"{mention.text} ({mention.noun})"


class _Coverage:
    """What the picture of a prompt shows."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._kind = choose_kind(prompt)
        self._is_outdoors = self._kind == "outdoors" or self._has_outdoor_backdrop()
        # What the view leaves to chance is nothing that the prompt names.
        self._view: OutdoorView = plan_view(prompt, np.random.default_rng(0))
        self._scenes = frozenset(noun.name for noun in prompt.scenes if self._shows_scene(noun.name))
        self._subjects = frozenset(self._list_subjects())

    def shows(self, mention: Mention) -> bool:
        """Whether the phrase, or any of its meanings, is in the picture."""
        if mention.names and not any(term.kind in NOUN_KINDS for term in mention.terms) and mention.noun:
            return self._shows_modifier(mention)
        if mention.text in _ANY_WATER and self._is_outdoors and self._view.water:
            return True
        terms = [term for term in mention.terms if term.kind != "colour" or not mention.names]
        if mention.names and not any(term.kind in NOUN_KINDS for term in terms):
            return self._shows_scene(mention.names[0])
        return any(self._shows_term(term) for term in terms)

    def _shows_term(self, term: Term) -> bool:
        match term.kind:
            case "scene":
                return term.name in self._scenes
            case "subject":
                return term.name in self._subjects
            case "time":
                return _is_chosen(term, self._prompt) and self._shows_time(term.name)
            case "weather":
                return term.name in self._prompt.weather and self._is_outdoors and self._shows_weather(term.name)
            case "style":
                return _is_chosen(term, self._prompt)
            case "view":
                return self._shows_view(term.name)
            case "pose":
                return not self._subjects.isdisjoint(_POSES.get(term.name, ())) and self._kind != "portrait"
            case "colour":
                return self._shows_loose_colour(term.name)
            case "age" | "size":
                return False
            case _:
                return True

    def _has_outdoor_backdrop(self) -> bool:
        """Whether somebody sits for a portrait before a landscape."""
        prompt = self._prompt
        return self._kind == "portrait" and (prompt.has(*LANDSCAPES) or prompt.time_of_day is not None)

    def _shows_time(self, name: str) -> bool:
        if self._kind in {"still life", "interior", "space"}:
            return name in _DARK_TIMES
        return self._is_outdoors or (self._kind == "underwater" and name in _DEEP_TIMES)

    def _shows_weather(self, name: str) -> bool:
        is_stormy = self._prompt.has("storm", "lightning")
        if name in {"cloudy", "rain", "clear"}:
            return not (is_stormy and name != "clear")
        if name == "autumn":
            return self._view.back in {"forest", "hills"} or self._has_ground() or self._prompt.has("tree")
        return True

    def _has_ground(self) -> bool:
        """Whether hills with grass are in the foreground."""
        return not self._view.water and self._view.back not in {"city", "dunes"}

    def _shows_scene(self, name: str) -> bool:
        own_kinds = {
            "space": "space", "underwater": "underwater", "portrait": "portrait", "still life": "still life",
            "plain": "plain", "abstract": "flow", "geometric": "geometry",
        }  # fmt: skip
        if name in own_kinds:
            is_ground_of_portrait = name == "plain" and self._kind == "portrait" and not self._is_outdoors
            return own_kinds[name] == self._kind or is_ground_of_portrait
        return self._is_outdoors and self._shows_landscape(name)

    def _shows_landscape(self, name: str) -> bool:
        view = self._view
        match name:
            case "city" | "neon":
                return view.back == "city"
            case "mountains" | "forest":
                return view.back == name
            case "desert":
                return view.back == "dunes"
            case "hills":
                return view.back == "hills" or self._has_ground()
            case "meadow":
                return view.back == "hills" or self._has_ground() or view.bank == "grass"
            case "lake":
                return view.water == "lake"
            case "harbour":
                return view.back == "shore" and view.water == "sea"
            case "coast":
                return view.water == "sea"
            case _:
                return name == "sea" and view.water == "sea"

    def _list_subjects(self) -> Iterable[str]:
        """The names of the subjects that are painted."""
        yield from (noun.name for noun in self._list_placed())
        for noun in self._prompt.subjects:
            if noun.name not in SUBJECTS and self._shows_unplaced(noun.name):
                yield noun.name

    def _list_placed(self) -> list[Noun]:
        prompt = self._prompt
        placeable = list_placeable(prompt)
        match self._kind:
            case "outdoors":
                return [noun for noun in placeable if not is_strewn(noun, prompt) or self._has_flower_carpet()]
            case "space":
                return [noun for noun in placeable if is_scattered(noun, "sky")]
            case "underwater":
                return [noun for noun in placeable if is_scattered(noun, "deep")]
            case "portrait":
                return [noun for noun in placeable if noun == find_sitter(prompt)]
            case "plain":
                return placeable
            case "interior":
                return list_interior_subjects(prompt)
            case "still life":
                return [noun for noun in placeable if SUBJECTS[noun.name].zone == "table" or noun.name == "flower"]
            case _:
                return []

    def _has_flower_carpet(self) -> bool:
        return self._has_ground() and not self._prompt.has("snow")

    def _shows_unplaced(self, name: str) -> bool:
        """Whether a subject without a place of its own is shown: part of a sky, of a ground, or of a person."""
        if name == "fur":
            coat = self._prompt.find_subject("fur")
            placed = [noun for noun in self._list_placed() if noun.name in COATED]
            return any(noun.colours == coat.colours or not coat.colours for noun in placed if coat)
        if name in {"hair", "eyes", "garment", "hat"}:
            return self._shows_part_of_person(name)
        if self._kind == "space":
            return name in {"star", "moon", "sky"}
        # The landscape behind a sitter has no subjects, not even those of its sky.
        if self._kind != "outdoors":
            return False
        is_stormy, time = self._prompt.has("storm", "lightning"), self._prompt.time_of_day
        match name:
            case "moon":
                return not is_stormy
            case "sun":
                return not is_stormy and time != "night"
            case "star":
                return not is_stormy and time in {None, "night"}
            case "road":
                return self._has_ground()
            case "rock":
                return not self._view.headland
            case _:
                return True

    def _shows_part_of_person(self, name: str) -> bool:
        placed = {noun.name for noun in self._list_placed()}
        if self._kind == "portrait":
            return find_sitter(self._prompt).name == "person" or (name == "eyes" and "cat" in placed)
        return (name in {"hair", "garment"} and "person" in placed) or (name == "eyes" and "cat" in placed)

    def _shows_modifier(self, mention: Mention) -> bool:
        """Whether a colour or a number that belongs to a noun is to be seen on it."""
        if any(term.kind == "number" for term in mention.terms):
            return self._shows_number(mention)
        name = next((name for name in mention.names if name in self._scenes | self._subjects), "")
        if name in _COLOURLESS:
            return False
        nouns = [noun for noun in (*self._prompt.subjects, *self._prompt.scenes) if noun.name == name]
        colours = [term.name for term in mention.terms]
        return any(colour in _list_shown_colours(noun) for noun in nouns for colour in colours)

    def _shows_number(self, mention: Mention) -> bool:
        number = mention.terms[0].name
        # Neither asks for a number that could be wrong.
        if number in {"1", "many"}:
            return True
        countable = any(name in SUBJECTS and name not in MASS_PLURALS for name in mention.names)
        return countable and not (self._kind == "portrait" and int(number) > _MOST_SITTERS)

    def _shows_loose_colour(self, name: str) -> bool:
        if name not in self._prompt.colours:
            return False
        if self._kind == "plain":
            # One colour fills a plain ground: its own, else the first that belongs to no noun.
            ground = self._prompt.find_scene("plain")
            return not (ground and ground.colours) and self._prompt.colours[0] == name
        return self._kind != "underwater"

    def _shows_view(self, name: str) -> bool:
        is_bust = self._kind == "portrait" and find_sitter(self._prompt).name == "person"
        if is_bust:
            return name in {"bust", "front", "close"}
        match name:
            case "side":
                return not self._subjects.isdisjoint(_IN_PROFILE)
            case "back":
                return "person" in self._subjects
            case "whole":
                return not self._subjects.isdisjoint(SITTERS | {"person"})
            case "far":
                return self._kind == "outdoors"
            case "close":
                return self._kind in {"portrait", "plain", "still life"}
            case _:
                return False
