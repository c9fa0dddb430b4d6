"""What prompts copied from other tools say in signs, as requests in plain words.

A service that does not read those signs would draw them. What can be kept is kept in other ways: what is denied goes
into ``negative_prompt``. The rest is named. `prompt_notations` says which signs there are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.requests.prompt_notations import PromptNotation, PromptText, read_prompt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atelier_mcp.server.requests.base import Request


_ANY_SIGN: Final = re.compile(r"[<(\[{|:_—–−-]|BREAK")
"""What every notation has one of."""


def has_prompt_signs(request: Request) -> bool:
    """Whether a prompt of a request may hold signs; ``use_plain_prompts`` then says which."""
    texts = (getattr(request, name, None) for name in ("prompt", "negative_prompt"))
    return any(isinstance(text, str) and _ANY_SIGN.search(text) for text in texts)


def use_plain_prompts(
    request: Request, *, kept: frozenset[PromptNotation] = frozenset()
) -> tuple[Request, tuple[str, ...]]:
    """The request with its prompts in plain words but for the ``kept`` notations, and what to tell of that.

    Raises ``InvalidRequest`` where no words are left.
    """
    fields = type(request).model_fields
    given = getattr(request, "prompt", None)
    if not isinstance(given, str):
        return request, ()
    prompt = read_prompt(given, kept=kept)
    negative = read_prompt(getattr(request, "negative_prompt", None) or "", kept=kept)
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
    lora_hint = "none was used: give it in loras, by an id from list_models" if has_loras else "this tool takes none"
    negative_hint = "moved to negative_prompt" if has_negative else "left out"
    notes = (
        (prompt.tags + negative.tags, f" taken out of the prompt; {lora_hint}"),
        (prompt.files + negative.files, " taken out of the prompt; files of another tool are not known here"),
        (prompt.weights + negative.weights, ": the words were kept, the weights are not understood here"),
        (prompt.choices + negative.choices, ": the first was taken, a choice is not understood here"),
        (prompt.excluded, f": {negative_hint}"),
        (prompt.flags + negative.flags, " taken out of the prompt; what there is to set is an argument of its own"),
    )
    return tuple(f"{_join(found)}{note}" for found, note in notes if found)
