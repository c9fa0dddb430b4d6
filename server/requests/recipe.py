"""A job's request as the arguments that make the same pictures again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SEEDED_CAPABILITIES: Final = frozenset({"generate_image", "inpaint_image", "chat_with_image"})
"""Those whose requests have a seed; ``tests/requests/test_recipe.py`` holds it to the classes."""


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
