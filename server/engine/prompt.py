"""Parse a prompt (English or Chinese) into the painter's vocabulary.

A colour or a number belongs to the next noun: "a black cat in a meadow with red flowers" is a black cat and red
flowers. A preposition or a punctuation mark ends the wait; a colour left without a noun colours the whole image.

    >>> prompt = read_prompt("three red boats on the sea at sunset, gleaming, no birds")
    >>> prompt.subjects, prompt.scenes, prompt.time_of_day
    ((Noun(name='boat', colours=('red',), count=3),), (Noun(name='sea', colours=(), count=1),), 'sunset')
    >>> prompt.not_understood, prompt.unwanted
    (('gleaming',), frozenset({'bird'}))

There is no grammar beyond that and the reach of a denial. Unknown words are reported, and still seed the painting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from atelier_mcp.server.engine.denial import find_denied
from atelier_mcp.server.engine.own_description import is_own_description, read_description
from atelier_mcp.server.engine.phrases import LARGEST_COUNT, NOUN_KINDS, PUNCTUATION, find_matches, split_atoms
from atelier_mcp.server.engine.vocabulary import ACHROMATIC, COATED, MASS_PLURALS, Term, is_cjk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atelier_mcp.server.engine.phrases import Match

_BACKGROUNDS: Final = frozenset({"background", "backdrop", "背景"})
"""A colour straight before these asks for a ground of that colour and nothing else."""
# What is listed as understood; the kinds below are mentioned as well, so that they can be reported as missing.
_DRAWABLE_KINDS: Final = frozenset({"scene", "subject", "surface", "time", "weather", "style", "colour"})
_REPORTED_KINDS: Final = _DRAWABLE_KINDS | {"view", "age", "size", "pose", "number"}


@dataclass(frozen=True, slots=True)
class Noun:
    """A scene or a subject, with the colours bound to it; ``count`` is None for a plural without a number."""

    name: str
    colours: tuple[str, ...] = ()
    count: int | None = 1


class Mention(NamedTuple):
    """A phrase that was understood, in the writer's words, and what it means.

    Of a colour or a number ``noun`` is the phrase it belongs to, "" when that is the whole picture; ``names`` are the
    names of that noun. ``key`` is the phrase as the vocabulary lists it.
    """

    text: str
    terms: tuple[Term, ...]
    noun: str = ""
    names: tuple[str, ...] = ()
    key: str = ""


# Straight single quotes are apostrophes as well, and mark nothing.
_LETTERING: Final = re.compile(r"[\"“„「『]([^\"“”„「」『』]{1,80})[\"”」』]")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a prompt asks for, in the painter's own vocabulary, and the words that vocabulary lacks.

    ``words`` are all words in order, lower case; with a seed they determine every random choice of the painter.
    ``colours`` are those that belong to no noun. ``unwanted`` holds the names of scenes, subjects and weathers that
    must not be in the picture, not even as the painter's own addition.
    """

    words: tuple[str, ...]
    scenes: tuple[Noun, ...] = ()
    time_of_day: str | None = None
    weather: tuple[str, ...] = ()
    subjects: tuple[Noun, ...] = ()
    surfaces: tuple[Noun, ...] = ()
    colours: tuple[str, ...] = ()
    style: str | None = None
    understood: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    unwanted: frozenset[str] = frozenset()
    is_incomprehensible: bool = False
    """Whether there is text, and none of it says what to draw or what not to."""
    lettering: tuple[str, ...] = ()
    """What stands in quotation marks: words that are to be read in the picture."""

    def find_subject(self, name: str) -> Noun | None:
        """The first subject of that name."""
        return next((noun for noun in self.subjects if noun.name == name), None)

    def find_scene(self, name: str) -> Noun | None:
        """The scene of that name."""
        return next((noun for noun in self.scenes if noun.name == name), None)

    @property
    def names_only_colours(self) -> bool:
        """Whether it asks for colours and for nothing that could have them."""
        return bool(self.colours) and not (
            self.scenes or self.subjects or self.surfaces or self.time_of_day or self.weather
        )

    @property
    def is_achromatic(self) -> bool:
        """Whether the whole picture is asked for in black, white or grey alone."""
        return len(self.colours) > 1 and ACHROMATIC.issuperset(self.colours)

    def has(self, *names: str) -> bool:
        """Whether any of these is a scene, a subject or a weather of the prompt."""
        known = {noun.name for noun in (*self.scenes, *self.subjects)} | set(self.weather)
        return not known.isdisjoint(names)


@dataclass(slots=True)
class _ParserState:
    """What has been gathered so far, and the colours and the number that wait for their noun."""

    scenes: list[Noun] = field(default_factory=list[Noun])
    subjects: list[Noun] = field(default_factory=list[Noun])
    surfaces: list[Noun] = field(default_factory=list[Noun])
    times: list[str] = field(default_factory=list[str])
    weather: list[str] = field(default_factory=list[str])
    colours: list[str] = field(default_factory=list[str])
    styles: list[str] = field(default_factory=list[str])
    understood: list[str] = field(default_factory=list[str])
    not_understood: list[str] = field(default_factory=list[str])
    mentions: list[Mention] = field(default_factory=list[Mention])
    pending_colours: list[str] = field(default_factory=list[str])
    pending_mentions: list[int] = field(default_factory=list[int])
    pending_count: int | None = 1
    passed_unknown: bool = False

    def add_match(self, match: Match) -> None:
        """Add one phrase; every noun in it gets the colours and the number that were waiting."""
        if match.text in PUNCTUATION:
            self.release_colours()
            self.pending_count = 1
            return
        # A compound is known to mean what the painter cannot draw: to the writer that is as good as unknown.
        if not match.terms or "compound" in match.kinds:
            _add_new(self.not_understood, match.text)
            self.passed_unknown = True
            return
        if match.text in _BACKGROUNDS and self.pending_colours:
            self._add_nouns(match, (Term("scene", "plain"),))
        elif "break" in match.kinds:
            self._end_wait()
        elif not match.kinds.isdisjoint(_REPORTED_KINDS):
            self._add_understood(match)

    def _add_understood(self, match: Match) -> None:
        if not match.kinds.isdisjoint(_DRAWABLE_KINDS):
            _add_new(self.understood, match.text)
        if not match.kinds.isdisjoint(NOUN_KINDS):
            self._add_nouns(match, match.terms)
            return
        self.mentions.append(Mention(match.text, match.terms))
        if not match.kinds.isdisjoint({"colour", "number"}):
            self.pending_mentions.append(len(self.mentions) - 1)
        for term in match.terms:
            self._add_term(term, plural=match.plural)

    def _add_nouns(self, match: Match, terms: tuple[Term, ...]) -> None:
        names = tuple(term.name for term in terms if term.kind in NOUN_KINDS)
        for index in self.pending_mentions:
            self.mentions[index] = self.mentions[index]._replace(noun=match.text, names=names)
        self.mentions.append(Mention(match.text, terms, names=names, key=match.key))
        # A number first: "village" says "many" and "house" in one word.
        for term in sorted(terms, key=lambda term: term.kind != "number"):
            self._add_term(term, plural=match.plural)
        self.pending_colours.clear()
        self.pending_mentions.clear()
        self.pending_count, self.passed_unknown = 1, False

    def _add_term(self, term: Term, *, plural: bool) -> None:
        match term.kind:
            case "colour":
                self.pending_colours.append(term.name)
            case "number":
                self.pending_count = None if term.name == "many" else int(term.name)
            case "scene":
                _merge_noun(self.scenes, Noun(term.name, tuple(self.pending_colours)))
            case "surface":
                _merge_noun(self.surfaces, Noun(term.name, tuple(self.pending_colours)))
            case "subject":
                _merge_noun(self.subjects, self._make_noun(term.name, plural=plural))
            case "time":
                _add_new(self.times, term.name)
            case "weather":
                _add_new(self.weather, term.name)
            case "style":
                _add_new(self.styles, term.name)
            case _:
                return

    def _make_noun(self, name: str, *, plural: bool) -> Noun:
        count = self.pending_count
        if count == 1 and plural and name not in MASS_PLURALS:
            count = None
        return Noun(name, tuple(self.pending_colours), count if count is None else min(count, LARGEST_COUNT))

    def _end_wait(self) -> None:
        """At a preposition colours wait no longer; a number does, as in "a flock of white birds".

        Not the number of something unknown: "two zorgons in a boat" is one boat.
        """
        self.release_colours()
        if self.passed_unknown:
            self.pending_count = 1
            self.pending_mentions.clear()

    def release_colours(self) -> None:
        """Give the waiting colours to the whole image; a number keeps waiting."""
        for colour in self.pending_colours:
            _add_new(self.colours, colour)
        self.pending_colours.clear()
        self.pending_mentions = [i for i in self.pending_mentions if self.mentions[i].terms[0].kind == "number"]

    def build_prompt(self, words: Iterable[str]) -> Prompt:
        """The prompt gathered so far."""
        self.release_colours()
        return Prompt(
            words=tuple(words),
            scenes=tuple(self.scenes),
            # The first one named: a picture has one hour and one style.
            time_of_day=self.times[0] if self.times else None,
            weather=tuple(self.weather),
            subjects=_colour_animals(self.subjects),
            surfaces=tuple(self.surfaces),
            colours=tuple(self.colours),
            style=self.styles[0] if self.styles else None,
            understood=tuple(self.understood),
            not_understood=tuple(self.not_understood),
            mentions=tuple(self.mentions),
        )


def read_prompt(text: str) -> Prompt:
    """The prompt's scenes, subjects, colours and style, and what it says it does not want.

    Never raises, whatever the text: it comes from strangers.
    """
    return replace(_read(text), lettering=tuple(dict.fromkeys(_LETTERING.findall(text))))


def _read(text: str) -> Prompt:
    atoms = split_atoms(text)
    words = [atom for atom in atoms if atom not in PUNCTUATION]
    matches = list(find_matches(atoms))
    if is_own_description(text):
        # Sentences of `describe` deny nothing, and name no wish but colours and faces.
        return _parse(list(read_description(matches)), words)
    denied = find_denied(matches)
    wanted = [match for position, match in enumerate(matches) if position not in denied]
    prompt = _parse(wanted, words)
    if not denied:
        # A number alone says nothing of what to draw.
        kinds = {term.kind for mention in prompt.mentions for term in mention.terms}
        return replace(prompt, is_incomprehensible=bool(text.strip()) and kinds <= {"number"})
    denied_matches = [matches[position] for position in sorted(denied)]
    unwanted = _parse(denied_matches, ())
    return remove_unwanted(prompt, unwanted, kept=_list_insisted_names(wanted, denied_matches))


def remove_unwanted(prompt: Prompt, unwanted: Prompt, *, kept: frozenset[str] = frozenset()) -> Prompt:
    """The prompt without the scenes, subjects, weather, time, style and colours the unwanted one names.

    "Red cars" takes out red cars and cars of no colour, and leaves a blue one. ``kept`` are names that stay. A sky
    without clouds is a clear one.
    """
    # A denial within the unwanted prompt counts as well: "no birds" as a negative prompt means no birds.
    names = {noun.name for noun in _list_nouns(unwanted)} | {*unwanted.weather, *unwanted.unwanted}
    names -= kept
    colours = {*unwanted.colours}
    weather = tuple(weather for weather in prompt.weather if weather not in names)

    def filter_nouns(nouns: tuple[Noun, ...]) -> tuple[Noun, ...]:
        remaining = (noun for noun in nouns if not _is_unwanted(noun, names, unwanted))
        return tuple(replace(noun, colours=tuple(c for c in noun.colours if c not in colours)) for noun in remaining)

    filtered = replace(
        prompt,
        scenes=filter_nouns(prompt.scenes),
        subjects=filter_nouns(prompt.subjects),
        surfaces=filter_nouns(prompt.surfaces),
        weather=(*weather, "clear") if "cloudy" in names and not weather else weather,
        colours=tuple(colour for colour in prompt.colours if colour not in colours),
        time_of_day=None if prompt.time_of_day == unwanted.time_of_day else prompt.time_of_day,
        style=None if prompt.style == unwanted.style else prompt.style,
    )
    # What is still there, a blue car beside "no red cars", is not forbidden to the painter.
    present = {noun.name for noun in _list_nouns(filtered)}
    mentions = tuple(mention for mention in prompt.mentions if not _is_taken_out(mention, filtered, prompt))
    return replace(filtered, mentions=mentions, unwanted=prompt.unwanted | (names - present))


def _list_nouns(prompt: Prompt) -> tuple[Noun, ...]:
    return (*prompt.scenes, *prompt.subjects, *prompt.surfaces)


def _is_unwanted(noun: Noun, names: set[str], unwanted: Prompt) -> bool:
    if noun.name not in names:
        return False
    # Without a noun in the denial there are no colours to compare: all of that name goes.
    denied_nouns = [one for one in _list_nouns(unwanted) if one.name == noun.name]
    return not denied_nouns or any(
        not one.colours or not noun.colours or not set(one.colours).isdisjoint(noun.colours) for one in denied_nouns
    )


def _is_taken_out(mention: Mention, filtered: Prompt, prompt: Prompt) -> bool:
    """Whether the mention names something that filtering took out: it is not to be reported as missing."""
    names = mention.names or tuple(term.name for term in mention.terms if term.kind in {"weather", "time", "style"})
    before = {prompt.time_of_day, prompt.style, *(n.name for n in _list_nouns(prompt)), *prompt.weather}
    after = {filtered.time_of_day, filtered.style, *(n.name for n in _list_nouns(filtered))}
    return any(name in before and name not in {*after, *filtered.weather} for name in names)


def _list_insisted_names(wanted: Sequence[Match], denied: Sequence[Match]) -> frozenset[str]:
    """The names that another word asks for: "no men, a woman" wants a person, though both are one subject."""
    keys = {match.key for match in denied}
    return frozenset(
        match.terms[0].name for match in wanted if len(match.terms) == 1 and match.is_noun and match.key not in keys
    )


def join_words(words: Sequence[str]) -> str:
    """Words as their writer put them together: Chinese without spaces."""
    return "".join(words) if words and is_cjk(words[0][0]) else " ".join(words)


def _add_new(items: list[str], item: str) -> None:
    if item not in items:
        items.append(item)


def _merge_noun(nouns: list[Noun], noun: Noun) -> None:
    """Add the noun, or let a noun of that name already there take what it adds ("roses ... a bouquet of flowers")."""
    for index, known in enumerate(nouns):
        if known.name != noun.name:
            continue
        # A red car and a blue one stay two.
        if known.colours and noun.colours and known.colours != noun.colours:
            continue
        is_plural = known.count is None or noun.count is None
        count = None if is_plural else max(known.count or 1, noun.count or 1)
        nouns[index] = replace(known, colours=known.colours or noun.colours, count=count)
        return
    nouns.append(noun)


def _colour_animals(subjects: Sequence[Noun]) -> tuple[Noun, ...]:
    """The subjects; the one animal of no colour has that of the fur or feathers named with it."""
    coat = next((noun.colours for noun in subjects if noun.name == "fur"), ())
    animals = [noun for noun in subjects if noun.name in COATED]
    # Of two animals, or with somebody who may wear it, nobody can tell whose coat it is.
    if len(animals) != 1 or animals[0].colours or any(noun.name in {"person", "garment"} for noun in subjects):
        return tuple(subjects)
    return tuple(replace(noun, colours=coat) if noun is animals[0] else noun for noun in subjects)


def _parse(matches: Sequence[Match], words: Sequence[str]) -> Prompt:
    state = _ParserState()
    for match in matches:
        state.add_match(match)
    return state.build_prompt(words)
