"""A job's request as the call that makes the same pictures again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SEEDED_CAPABILITIES: Final = frozenset({"generate_image", "inpaint_image", "chat_with_image"})
"""Those whose requests have a seed; ``tests/requests/test_recipe.py`` holds it to the classes."""
MAX_VALUE_CHARACTERS: Final = 4000
"""Longer than any prompt: only a conversation or a drawing of many points is cut short."""


def build_recipe(
    capability: str,
    request: Mapping[str, Any],
    *,
    provider: str,
    seed: int | None,
    is_single: bool = False,
) -> dict[str, Any]:
    """The arguments of the call that repeats a job, at its provider and with its seed.

    ``seed`` is that of the job's first picture; with ``is_single`` it is that of one picture, which alone is repeated.
    """
    arguments = dict(request)
    if seed is not None and capability in SEEDED_CAPABILITIES:
        arguments["seed"] = seed
        if is_single:
            arguments.pop("samples", None)
    return {**arguments, "provider": provider} if provider else arguments


def format_call(tool: str, request: Mapping[str, Any]) -> str:
    """A call in one line: ``generate_image(prompt="a red kite", samples=2)``."""
    argument_texts = ", ".join(f"{name}={_shorten(value)}" for name, value in request.items())
    return f"{tool}({argument_texts})"


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}..."
