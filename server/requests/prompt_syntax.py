"""What prompts copied from other tools say in signs: LoRA tags, weights, flags.

    a sailboat <lora:space_cat_v2:0.8>    a LoRA, which is an argument here
    (storm:1.2), (people:0)               more of a storm, no people
    a lighthouse --no dog --ar 16:9       no dog; a shape

A service that does not read them would draw them. What can be kept is kept in other ways, and the rest is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atelier_mcp.server.requests.base import Request

MAX_WEIGHT: Final = 3.0
"""More is no weight: (16:9), (at 12:30)."""
_TAG: Final = re.compile(r"<\s*(lora|lyco|hypernet)\s*:\s*([^<>:]+)(?::[^<>]*)?>", re.IGNORECASE)
_WEIGHT: Final = re.compile(r"(?<!\\)\(([^()]*[^\W\d_][^()]*?)\s*:\s*([+-]?\d*\.?\d+)\s*\)")
_EXCLUSION: Final = re.compile(r"(?:^|\s)(?:--|—|–)no\s+((?:(?!\s(?:--|—|–)\w).)+)", re.IGNORECASE | re.DOTALL)
_FLAG: Final = re.compile(
    r"(?:^|\s)(?:--|—|–)(ar|aspect|v|version|s|stylize|style|q|quality|c|chaos|seed|niji|tile|iw|w|h|hd|raw|weird|steps|cfg"
    r"|sref|cref|stop|repeat|fast|relax|turbo)\b((?:\s+(?!--|—|–)[\w.:/-]*\d[\w.:/-]*|\s+raw)?)",
    re.IGNORECASE,
)
_ANY_SIGN: Final = re.compile(r"[<(]|--|[—–]")
_EMPTY_LIST_PLACES: Final = re.compile(r"\s*,(?:\s*,)+")


@dataclass(slots=True)
class PromptText:
    """A prompt in plain words, and what was taken out of it."""

    words: str
    excluded: list[str] = field(default_factory=list[str])
    """What is not to be in the picture."""
    tags: list[str] = field(default_factory=list[str])
    weights: list[str] = field(default_factory=list[str])
    flags: list[str] = field(default_factory=list[str])

    @property
    def is_changed(self) -> bool:
        """Whether anything was taken out."""
        return bool(self.excluded or self.tags or self.weights or self.flags)


def read_prompt(text: str, *, keeps_weights: bool = False) -> PromptText:
    """The prompt without its signs; with ``keeps_weights`` those of weights stay, for a service that reads them."""
    prompt = PromptText(text)
    prompt.words = _TAG.sub(lambda match: _take(prompt.tags, match[0]), prompt.words)
    prompt.words = _EXCLUSION.sub(lambda match: _take(prompt.excluded, match[1].strip(" ,.")), prompt.words)
    prompt.words = _FLAG.sub(lambda match: _take(prompt.flags, " ".join(match[0].split())), prompt.words)
    while not keeps_weights:  # from the innermost outwards
        words = _WEIGHT.sub(lambda match: _weigh(prompt, match), prompt.words)
        if words == prompt.words:
            break
        prompt.words = words
    if prompt.is_changed:
        prompt.words = _tidy(prompt.words)
    return prompt


def _take(found: list[str], text: str) -> str:
    found.append(text)
    return " "


def _weigh(prompt: PromptText, match: re.Match[str]) -> str:
    """The words of a weight; none where it is 0 or less. Something else in parentheses stays."""
    words, weight = match[1].strip(), float(match[2])
    is_weight = abs(weight) <= MAX_WEIGHT and (not words[-1].isdigit() or "." in match[2])
    if not is_weight:
        return match[0]
    if weight <= 0:
        prompt.excluded.append(words)
        return " "
    prompt.weights.append(match[0])
    return words


def _tidy(text: str) -> str:
    text = _EMPTY_LIST_PLACES.sub(",", " ".join(text.split()))
    return text.replace(" ,", ",").strip(" ,")


def has_prompt_signs(request: Request) -> bool:
    """Whether a prompt of a request may hold signs; ``use_plain_prompts`` then says which."""
    texts = (getattr(request, name, None) for name in ("prompt", "negative_prompt"))
    return any(isinstance(text, str) and _ANY_SIGN.search(text) for text in texts)


def use_plain_prompts(request: Request, *, keeps_weights: bool = False) -> tuple[Request, tuple[str, ...]]:
    """The request with its prompts in plain words, and what to tell of that.

    Raises ``InvalidRequest`` where no words are left.
    """
    fields = type(request).model_fields
    given = getattr(request, "prompt", None)
    if not isinstance(given, str):
        return request, ()
    prompt = read_prompt(given, keeps_weights=keeps_weights)
    negative = read_prompt(getattr(request, "negative_prompt", None) or "", keeps_weights=keeps_weights)
    if not prompt.is_changed and not negative.is_changed:
        return request, ()
    if given.strip() and not prompt.words:
        raise InvalidRequest(f"prompt: {given.strip()} leaves no words to draw.", hint="Say in words what to draw.")
    changes: dict[str, Any] = {"prompt": prompt.words}
    has_negative = "negative_prompt" in fields
    if has_negative:
        words = _join([negative.words, *negative.excluded, *prompt.excluded])
        changes["negative_prompt"] = words or getattr(request, "negative_prompt", None)
    notes = _describe(prompt, negative, has_loras="loras" in fields, has_negative=has_negative)
    return request.model_copy(update=changes), notes


def _join(parts: Iterable[str]) -> str:
    return ", ".join(part for part in parts if part)


def _describe(prompt: PromptText, negative: PromptText, *, has_loras: bool, has_negative: bool) -> tuple[str, ...]:
    tags, weights = _join(prompt.tags + negative.tags), _join(prompt.weights + negative.weights)
    flags, excluded = _join(prompt.flags + negative.flags), _join(prompt.excluded)
    tag_hint = "none was used: give it in loras, by an id from list_models" if has_loras else "this tool takes none"
    return tuple(
        note
        for value, note in (
            (tags, f"{tags} taken out of the prompt; {tag_hint}"),
            (weights, f"{weights}: the words were kept, the weights are not understood here"),
            (excluded, f"{excluded}: {'moved to negative_prompt' if has_negative else 'left out'}"),
            (flags, f"{flags} taken out of the prompt; what there is to set is an argument of its own"),
        )
        if value
    )
