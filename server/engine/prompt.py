"""Parse a prompt (English or Chinese) into the painter's vocabulary.

A colour or a number belongs to the next noun: "a black cat in a meadow with red flowers" is a black cat and red
flowers. A preposition or a punctuation mark ends the wait; a colour left without a noun colours the whole image.

    >>> prompt = read_prompt("three red boats on the sea at sunset, gleaming")
    >>> prompt.subjects, prompt.scenes, prompt.time_of_day
    ((Noun(name='boat', colours=('red',), count=3),), (Noun(name='sea', colours=(), count=1),), 'sunset')
    >>> prompt.not_understood
    ('gleaming',)

There is no grammar: "a lake with no boats" gets boats. Unknown words are reported, and still seed the painting.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from atelier_mcp.server.engine.vocabulary import (
    IRREGULAR_PLURALS,
    LEXICON,
    LONGEST_CJK_WORD,
    LONGEST_PHRASE_WORDS,
    MASS_PLURALS,
    UNCHANGED_PLURALS,
    Term,
    is_cjk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_COUNT: Final = 12
"""The largest number of one subject that is drawn."""

# "(boat:1.3)" as Stable Diffusion prompts have it: the weight is dropped, or 1 would be read as a number of boats.
_EMPHASIS: Final = re.compile(r":\s*\d+(\.\d+)?(?=\s*[)\]>,]|\s*$)")
# A run of ideographs, a word of other letters and digits, or one punctuation mark.
_ATOMS: Final = re.compile(r"[㐀-鿿豈-﫿]+|[^\W_]+|[,.;:!?/|()\[\]、，。；：！？（）\n]")
_ARTICLES: Final = frozenset({"a", "an", "the", "one", "single", "this", "that", "my", "its"})
_PUNCTUATION: Final = frozenset(",.;:!?/|()[]、，。；：！？（）\n")


@dataclass(frozen=True, slots=True)
class Noun:
    """A scene or a subject, with the colours bound to it; ``count`` is None for a plural without a number."""

    name: str
    colours: tuple[str, ...] = ()
    count: int | None = 1


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a prompt asks for, in the painter's own vocabulary, and the words that vocabulary lacks.

    ``words`` are all words in order, lower case; with a seed they determine every random choice of the painter.
    ``colours`` are those that belong to no noun.
    """

    words: tuple[str, ...]
    scenes: tuple[Noun, ...] = ()
    time_of_day: str | None = None
    weather: tuple[str, ...] = ()
    subjects: tuple[Noun, ...] = ()
    colours: tuple[str, ...] = ()
    style: str | None = None
    understood: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()

    def find_subject(self, name: str) -> Noun | None:
        """The first subject of that name."""
        return next((noun for noun in self.subjects if noun.name == name), None)

    def find_scene(self, name: str) -> Noun | None:
        """The scene of that name."""
        return next((noun for noun in self.scenes if noun.name == name), None)

    def has(self, *names: str) -> bool:
        """Whether any of these is a scene, a subject or a weather of the prompt."""
        known = {noun.name for noun in (*self.scenes, *self.subjects)} | set(self.weather)
        return not known.isdisjoint(names)


class _Match(NamedTuple):
    """A phrase of the text with its meanings; none at all for an unknown word."""

    text: str
    terms: tuple[Term, ...]
    plural: bool = False


@dataclass(slots=True)
class _ParserState:
    """What has been gathered so far, and the colours and the number that wait for their noun."""

    scenes: list[Noun] = field(default_factory=list[Noun])
    subjects: list[Noun] = field(default_factory=list[Noun])
    times: list[str] = field(default_factory=list[str])
    weather: list[str] = field(default_factory=list[str])
    colours: list[str] = field(default_factory=list[str])
    styles: list[str] = field(default_factory=list[str])
    understood: list[str] = field(default_factory=list[str])
    not_understood: list[str] = field(default_factory=list[str])
    pending_colours: list[str] = field(default_factory=list[str])
    pending_count: int | None = 1

    def add_match(self, match: _Match) -> None:
        """Add one phrase; every noun in it gets the colours and the number that were waiting."""
        if not match.terms:
            _add_new(self.not_understood, match.text)
            return
        kinds = {term.kind for term in match.terms}
        if kinds & {"break"}:
            self.release_colours()
            return
        if kinds == {"quiet"}:
            return
        if kinds != {"number"}:
            _add_new(self.understood, match.text)
        for term in match.terms:
            self._add_term(term, plural=match.plural)
        if kinds & {"scene", "subject"}:
            self.pending_colours.clear()
            self.pending_count = 1

    def _add_term(self, term: Term, *, plural: bool) -> None:
        match term.kind:
            case "colour":
                self.pending_colours.append(term.name)
            case "number":
                self.pending_count = None if term.name == "many" else int(term.name)
            case "scene":
                _merge_noun(self.scenes, Noun(term.name, tuple(self.pending_colours)))
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

    def release_colours(self) -> None:
        """Give the waiting colours to the whole image; a number keeps waiting, as in "a flock of white birds"."""
        for colour in self.pending_colours:
            _add_new(self.colours, colour)
        self.pending_colours.clear()


def read_prompt(text: str) -> Prompt:
    """The prompt's scenes, subjects, colours and style. Never raises, whatever the text: it comes from strangers."""
    atoms = _split_atoms(text)
    state = _ParserState()
    for match in _find_matches(atoms):
        if match.text in _PUNCTUATION:
            state.release_colours()
            state.pending_count = 1
        else:
            state.add_match(match)
    state.release_colours()
    return Prompt(
        words=tuple(atom for atom in atoms if atom not in _PUNCTUATION),
        scenes=tuple(state.scenes),
        time_of_day=state.times[0] if state.times else None,
        weather=tuple(state.weather),
        subjects=tuple(state.subjects),
        colours=tuple(state.colours),
        style=state.styles[0] if state.styles else None,
        understood=tuple(state.understood),
        not_understood=tuple(state.not_understood),
    )


def _split_atoms(text: str) -> list[str]:
    """Words, runs of ideographs and punctuation marks, in lower case, without emphasis weights."""
    # NFKC makes full-width letters, digits and punctuation of Chinese input the plain ones.
    folded = unicodedata.normalize("NFKC", text).lower().replace("'s ", " ").replace("’s ", " ")
    return _ATOMS.findall(_EMPHASIS.sub(" ", folded))


def _find_matches(atoms: list[str]) -> Iterator[_Match]:
    position = 0
    while position < len(atoms):
        atom = atoms[position]
        if is_cjk(atom[0]):
            yield from _split_ideographs(atom)
            position += 1
        else:
            match, length = _find_longest_phrase(atoms, position)
            yield match
            position += length


def _find_longest_phrase(atoms: list[str], start: int) -> tuple[_Match, int]:
    """The longest known phrase that starts here, its last word in the singular or the plural."""
    for length in range(min(LONGEST_PHRASE_WORDS, len(atoms) - start), 0, -1):
        words = atoms[start : start + length]
        phrase = " ".join(words)
        if phrase in LEXICON:
            return _Match(
                phrase, LEXICON[phrase], plural=_is_plural(words[-1], atoms[max(0, start - 3) : start])
            ), length
        # Only the last word of a phrase is ever in the plural: "palm trees", "hot air balloons".
        for singular in _list_singulars(words[-1]):
            one = " ".join([*words[:-1], singular])
            if one in LEXICON:
                return _Match(phrase, LEXICON[one], plural=True), length
    return _match_unlisted(atoms[start]), 1


def _is_plural(word: str, before: list[str]) -> bool:
    """Whether a listed word means several: "people", or "fish" that no article makes one."""
    return word == "people" or (word in UNCHANGED_PLURALS and _ARTICLES.isdisjoint(before))


def _match_unlisted(word: str) -> _Match:
    if word.isdecimal() and 0 < int(word) <= LARGEST_COUNT:
        return _Match(word, (Term("number", str(int(word))),))
    if word[0].isdecimal() or word in _PUNCTUATION:
        return _Match(word, (Term("quiet", ""),))
    return _Match(word, ())


def _list_singulars(word: str) -> Iterator[str]:
    """What the word may be the plural of, likeliest first."""
    if word in IRREGULAR_PLURALS:
        yield IRREGULAR_PLURALS[word]
    if len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return
    yield word[:-1]
    if word.endswith("ies"):
        yield word[:-3] + "y"
    if word.endswith("es"):
        yield word[:-2]


def _split_ideographs(run: str) -> Iterator[_Match]:
    """A run of ideographs cut into its longest known words; what lies between them is unknown."""
    position, unknown = 0, ""
    while position < len(run):
        word = _find_longest_word(run, position)
        if not word:
            unknown += run[position]
            position += 1
            continue
        if unknown:
            yield _Match(unknown, ())
            unknown = ""
        yield _Match(word, LEXICON[word])
        position += len(word)
    if unknown:
        yield _Match(unknown, ())


def _find_longest_word(run: str, start: int) -> str:
    for length in range(min(LONGEST_CJK_WORD, len(run) - start), 0, -1):
        if run[start : start + length] in LEXICON:
            return run[start : start + length]
    return ""


def _add_new(items: list[str], item: str) -> None:
    if item not in items:
        items.append(item)


def _merge_noun(nouns: list[Noun], noun: Noun) -> None:
    """Add the noun, or let a noun of that name already there take what it adds ("roses ... a bouquet of flowers")."""
    for index, known in enumerate(nouns):
        if known.name != noun.name:
            continue
        if known.colours and noun.colours and known.colours != noun.colours:
            continue
        is_plural = known.count is None or noun.count is None
        count = None if is_plural else max(known.count or 1, noun.count or 1)
        nouns[index] = replace(known, colours=known.colours or noun.colours, count=count)
        return
    nouns.append(noun)
