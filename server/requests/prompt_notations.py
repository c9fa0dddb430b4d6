"""Notations of other image tools, read out of a prompt one kind at a time.

    a sailboat <lora:ink:0.8>, <hypernet:a:1>     files of another tool
    embedding:bad_hands, __animal__               likewise
    (storm:1.2), (people:0), boat::2 dog::-1      weights; one of 0 or less is a denial
    [cat:dog:0.5], [cat|dog], {cat|dog}           one of several
    --no dog, -people, Negative prompt: dog       denials
    --ar 16:9 --v 6, Steps: 20, Sampler: Euler a  settings

What is in plain words stays as it is: a clock (12:30), a well-known harbour, a list with a dash before each line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

PromptNotation = Literal["weights", "editing", "breaks", "hypernets", "embeddings"]
"""What a service may read by itself: ``(a:1.2)``; ``[a:b:0.5]`` and ``[a|b]``; ``BREAK``; ``<hypernet:a:1>``;
``embedding:a``."""

MAX_WEIGHT: Final = 3.0
"""More is no weight: (16:9), (at 12:30)."""
_NUMBER: Final = r"[+-]?\d*\.?\d+"
_TAG: Final = re.compile(r"<\s*([a-z]{2,12})(?:\[[^\]<>]*\])?\s*:\s*[^<>]+>", re.IGNORECASE)
_LORA_TAGS: Final = frozenset({"lora", "lyco", "locon"})
_WEIGHT: Final = re.compile(rf"(?<!\\)\(([^()]*[^\W\d_][^()]*?)\s*:\s*({_NUMBER})\s*\)")
_EXCLUSION: Final = re.compile(r"(?:^|\s)(?:--?|—|–)no\s+((?:(?!\s(?:--|—|–)\w).)+)", re.IGNORECASE | re.DOTALL)
_DASHES: Final = r"(?:^|\s)(?:--|—|–)"
_VALUE: Final = r"(?:https?://\S+|[\w.:/-]*\d[\w.:/-]*|raw\b|random\b|low\b|high\b)"
_FLAG: Final = re.compile(
    rf"{_DASHES}(?:(?:hd|fast|relax|turbo|raw|tile|video|draft|test|testp|creative|stealth|public)\b(?!-)"
    r"|(?:ar|aspect|v|version|s|stylize|style|q|quality|c|chaos|seed|sameseed|niji|iw|w|h|weird|steps|cfg|sref|sw|cref|cw"
    rf"|oref|ow|p|profile|stop|repeat|r|exp|motion|loop|end|bs)\b(?:\s+(?!--|—|–){_VALUE})?)",
    re.IGNORECASE,
)
_SHORT_FLAG: Final = re.compile(r"(?:^|\s)-(?:ar|v|s|q|c|iw|w|h|seed|niji|steps|cfg)\s+\d[\w.:]*", re.IGNORECASE)
# A flag that nobody here has heard of: one with a number or a link behind it, or one that ends the prompt.
_UNKNOWN_FLAG: Final = re.compile(
    r"(?:^|\s)--[a-z][a-z_]*(?:[\s=]+(?:https?://\S+|-?\d[\w.:]*)|(?=\s*$|\s+--))", re.IGNORECASE
)
_PART_END: Final = re.compile(rf"(?<=[^\d\s,])\s*::(?:({_NUMBER})(?![\w.])|\s+({_NUMBER})(?=\s*(?:,|$)))?(?=[\s,]|$)")
_LEADING_NUMBER: Final = re.compile(r"^[\d.]+\s+")
_CHOICE: Final = re.compile(r"\{([^{}]*\|[^{}]*)\}")
_CHOICE_COUNT: Final = re.compile(r"^\s*[\d-]*\$\$(?:[^$]*\$\$)?")
_CHOICE_WEIGHT: Final = re.compile(r"^\s*\d*\.?\d+::")
_ALTERNATION: Final = re.compile(r"(?<!\\)\[([^\[\]|]*(?:\|[^\[\]|]*)+)\]")
_EDITING: Final = re.compile(r"(?<!\\)\[(?:([^\[\]:]*):)?([^\[\]:]*):\s*\d*\.?\d+\s*\]")
_EMBEDDING: Final = re.compile(
    rf"\(\s*embedding:([^\s,():]+)\s*(?::\s*{_NUMBER}\s*)?\)|(?<!\w)embedding:[^\s,():]+", re.IGNORECASE
)
_WILDCARD: Final = re.compile(r"(?<!\w)__[\w/*-]+?__(?!\w)")
_BREAK: Final = re.compile(r"(?<!\w)BREAK(?!\w)")
_NEGATIVE_LINE: Final = re.compile(r"(?:^|[\n.,;])[^\S\n]*negative(?:[ _]prompts?)?\s*:\s*([^\n]+)", re.IGNORECASE)
_SETTINGS_LINE: Final = re.compile(r"(?:^|\n)[^\S\n]*Steps:\s*\d+,[^\n]*")
_MINUS: Final = re.compile(r"(?:(?<=[^\S\n])|(?<=[,;，、])|\A)[-−](\"[^\"\n]+\"|[^\W\d_][\w-]*)")
_NEVER_DENIED: Final = frozenset(
    {"a", "an", "the", "this", "in", "on", "at", "by", "with", "without", "of", "from", "and", "or", "for", "to", "as"}
    | {"like", "not", "no", "is", "are", "made", "drawn", "painted", "style"}
)
"""Before these a minus is a dash without its space."""


@dataclass(slots=True)
class PromptText:
    """A prompt in plain words, and what was taken out of it."""

    words: str
    excluded: list[str] = field(default_factory=list[str])
    """What is not to be in the picture."""
    tags: list[str] = field(default_factory=list[str])
    """LoRAs."""
    files: list[str] = field(default_factory=list[str])
    """Other files of another tool: hypernets, embeddings, wildcards."""
    weights: list[str] = field(default_factory=list[str])
    choices: list[str] = field(default_factory=list[str])
    """Those of which the first was taken."""
    flags: list[str] = field(default_factory=list[str])

    @property
    def is_changed(self) -> bool:
        """Whether anything was taken out."""
        return any((self.excluded, self.tags, self.files, self.weights, self.choices, self.flags))


def read_prompt(text: str, *, kept: frozenset[PromptNotation] = frozenset()) -> PromptText:
    """The prompt without its signs, but for those of the ``kept`` notations, which the service reads itself."""
    prompt = PromptText(text)
    _take_lines(prompt)
    _take_tags(prompt, kept)
    _replace_repeatedly(prompt, _CHOICE, _choose_first)
    if "editing" not in kept:
        _replace_repeatedly(prompt, _ALTERNATION, _choose_first)
        _replace_repeatedly(prompt, _EDITING, _choose_start)
    _take_flags(prompt)
    _split_parts(prompt)
    if "weights" not in kept:
        _replace_repeatedly(prompt, _WEIGHT, _weigh)
    _take_files(prompt, kept)
    prompt.words = _MINUS.sub(lambda match: _deny(prompt, match), prompt.words)
    if "breaks" not in kept and text != text.upper() and _BREAK.search(prompt.words):
        prompt.words = _BREAK.sub(lambda match: _take(prompt.flags, match[0], ","), prompt.words)
    if prompt.is_changed:
        prompt.words = _tidy(prompt.words)
    return prompt


def _take(found: list[str], text: str, replacement: str = " ") -> str:
    found.append(text)
    return replacement


def _take_lines(prompt: PromptText) -> None:
    """The lines that WebUI writes below a prompt."""
    prompt.words = _SETTINGS_LINE.sub(lambda match: _take(prompt.flags, match[0].strip()), prompt.words)
    prompt.words = _NEGATIVE_LINE.sub(lambda match: _take(prompt.excluded, match[1].strip(" ,.")), prompt.words)


def _take_tags(prompt: PromptText, kept: frozenset[PromptNotation]) -> None:
    def take(match: re.Match[str]) -> str:
        kind = match[1].lower()
        if kind == "hypernet" and "hypernets" in kept:
            return match[0]
        return _take(prompt.tags if kind in _LORA_TAGS else prompt.files, match[0])

    prompt.words = _TAG.sub(take, prompt.words)


def _take_flags(prompt: PromptText) -> None:
    prompt.words = _EXCLUSION.sub(lambda match: _take(prompt.excluded, match[1].strip(" ,.")), prompt.words)
    for pattern in (_FLAG, _SHORT_FLAG, _UNKNOWN_FLAG):
        prompt.words = pattern.sub(lambda match: _take(prompt.flags, " ".join(match[0].split())), prompt.words)


def _take_files(prompt: PromptText, kept: frozenset[PromptNotation]) -> None:
    patterns = (_WILDCARD,) if "embeddings" in kept else (_EMBEDDING, _WILDCARD)
    for pattern in patterns:
        prompt.words = pattern.sub(lambda match: _take(prompt.files, match[0]), prompt.words)


def _replace_repeatedly(
    prompt: PromptText, pattern: re.Pattern[str], replace: Callable[[PromptText, re.Match[str]], str]
) -> None:
    """From the innermost outwards."""
    words = None
    while words != prompt.words:
        words = prompt.words
        prompt.words = pattern.sub(lambda match: replace(prompt, match), words)


def _choose_first(prompt: PromptText, match: re.Match[str]) -> str:
    """The first of several that has words."""
    options = _CHOICE_COUNT.sub("", match[1]).split("|")
    options = [_CHOICE_WEIGHT.sub("", option).strip() for option in options]
    return _take(prompt.choices, match[0], next((option for option in options if option), ""))


def _choose_start(prompt: PromptText, match: re.Match[str]) -> str:
    """What is drawn from the start on, or else what comes later: ``[from:to:when]``, ``[to:when]``."""
    start, later = (match[1] or "").strip(), match[2].strip()
    if not any(character.isalpha() for character in start + later):
        return match[0]
    return _take(prompt.choices, match[0], start or later)


def _split_parts(prompt: PromptText) -> None:
    """``boat::2 dog::-1``: parts, each with its weight behind it; without a number it is 1."""
    parts: list[str] = []
    start = 0
    for match in _PART_END.finditer(prompt.words):
        part, weight = prompt.words[start : match.start()].strip(" ,"), match[1] or match[2]
        start = match.end()
        if weight and float(weight) <= 0:
            # A number after a space counts the part: "boat:: 2 dog::-1" wants not even one dog.
            prompt.excluded.append(_LEADING_NUMBER.sub("", part))
        else:
            prompt.weights.append(f"{part}::{weight or 1}")
            parts.append(part)
    if start:
        prompt.words = ", ".join(part for part in (*parts, prompt.words[start:].strip(" ,")) if part)


def _weigh(prompt: PromptText, match: re.Match[str]) -> str:
    """The words of a weight; none where it is 0 or less. Something else in parentheses stays."""
    words, weight = match[1].strip(), float(match[2])
    is_weight = abs(weight) <= MAX_WEIGHT and (not words[-1].isdigit() or "." in match[2])
    if not is_weight or _EMBEDDING.fullmatch(match[0]):
        return match[0]
    if weight <= 0:
        prompt.excluded.append(words)
        return " "
    prompt.weights.append(match[0])
    return words


def _deny(prompt: PromptText, match: re.Match[str]) -> str:
    """Nothing in place of a word with a minus before it; dashes, also those of a list, stay."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    line = before.rpartition("\n")[2]
    is_list = not line.strip() and "\n" in match.string
    is_parenthesis = match[1].endswith("-") or re.match(r"[^-,.\n]*\w-(?:[\s,.]|$)", after) is not None
    if is_list or is_parenthesis or match[1].lower() in _NEVER_DENIED:
        return match[0]
    return _take(prompt.excluded, match[1].strip('"').replace("_", " "))


_EMPTY_LIST_PLACES: Final = re.compile(r"\s*,(?:\s*,)+")


def _tidy(text: str) -> str:
    text = _EMPTY_LIST_PLACES.sub(",", " ".join(text.split()))
    return text.replace(" ,", ",").replace(" .", ".").strip(" ,")
