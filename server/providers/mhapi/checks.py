"""Rules of MHAPI that several operations share, checked before anything is spent."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import AccountRefused, InvalidRequest, TransientError, UpstreamFailed
from atelier_mcp.server.providers.base import ImageRule
from atelier_mcp.server.providers.choices import some_ids

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import Model
    from atelier_mcp.server.providers.mhapi.catalogue import Catalogue

PROMPT_WIDTH = 2000
FACE_PROMPT_WIDTH = 1000
LARGEST_SEED = 99_999_998
LARGEST_INPAINT_SEED = 9_999_998
"""One digit shorter in the contract; the smaller range is safe (contract: inpaint.imgen.seed_range)."""
NEARLY_ZERO = 0.01
"""Sent for 0 where the service may read 0 as "not given" (contract: shared.zero_values)."""
UNREADABLE_LIST = (TransientError, AccountRefused, UpstreamFailed, InvalidRequest)

RULE = ImageRule()
MASK_RULE = ImageRule(same_ratio_as="image")
SMALL_SOURCE_RULE = ImageRule(max_side_px=2000)
CANVAS_RULE = ImageRule(max_side_px=5999)


def text_width(text: str) -> int:
    """The length the vendor counts: wide East Asian characters are two (contract: shared.prompt_length)."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def check_width(name: str, text: str | None, limit: int = PROMPT_WIDTH) -> None:
    """Raise ``InvalidRequest`` for a text that is too long."""
    width = text_width(text or "")
    if width > limit:
        raise InvalidRequest(
            f"{name}: {width} characters, MHAPI takes {limit} (a Chinese, Japanese or Korean character counts as two)."
        )


def check_seed(seed: int | None, samples: int, largest: int = LARGEST_SEED) -> None:
    """Raise ``InvalidRequest`` where the last picture's seed, ``seed + samples - 1``, is out of range."""
    if seed is not None and seed + samples - 1 > largest:
        raise InvalidRequest(f"seed: with {samples} samples it can be at most {largest - samples + 1} here.")


def seed_notes(seed: int | None) -> tuple[str, ...]:
    """What to tell about a seed of 0."""
    return ("seed 0 means a random seed at this service",) if seed == 0 else ()


async def service_model(
    catalogue: Catalogue, kind: str, wanted: str | None, *, field: str = "model", usual: str = ""
) -> tuple[str, tuple[str, ...]]:
    """The id of the model to use for a service and what to tell about it.

    ``usual`` is preferred where the caller names none; else it is the first listed. Without a readable list the
    caller's or the usual model is taken as it is. Raises ``InvalidRequest`` for a name that is not listed.
    """
    try:
        models = await catalogue.all(kind)
        found = await catalogue.find(kind, wanted) if wanted else next((m for m in models if m.id == usual), None)
    except UNREADABLE_LIST:
        if not (wanted or usual):
            raise
        return wanted or usual, (f"model {wanted or usual}, unchecked: the list could not be read",)
    if found is not None:
        return found.id, () if wanted else (f"model {found.id}",)
    if wanted:
        raise unlisted(field, wanted, models)
    if not models:
        raise InvalidRequest(f"{field}: MHAPI lists no model for this account that could do it.")
    return models[0].id, (f"model {models[0].id}",)


def unlisted(field: str, wanted: str, models: tuple[Model, ...]) -> InvalidRequest:
    """The error for a model nobody listed."""
    return InvalidRequest(
        f"{field}: MHAPI lists no {wanted!r}; there is {some_ids(models)}.", then="list_models shows all."
    )
