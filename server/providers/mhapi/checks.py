"""Rules of MHAPI that several operations share, checked before anything is spent."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import AccountRefused, InvalidRequest, TransientError, UpstreamFailed
from atelier_mcp.server.images.exchange import ImageRule
from atelier_mcp.server.providers.model_names import find_near_id
from atelier_mcp.server.providers.plan_defaults import format_model_ids

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import ListedModel
    from atelier_mcp.server.providers.mhapi.model_list import MhapiModelList

MAX_PROMPT_WIDTH = 2000
MAX_SEED = 99_999_998
NEARLY_ZERO = 0.01
"""Sent for 0 where the service may read 0 as "not given" (contract: shared.zero_values)."""
MODEL_LIST_ERRORS = (TransientError, AccountRefused, UpstreamFailed, InvalidRequest)

IMAGE_RULE = ImageRule()
MASK_RULE = ImageRule(same_ratio_as="image")
# Enlarging and segmenting take less than the rest (contract: conventions.image_limits).
SMALL_SOURCE_RULE = ImageRule(max_side_px=2000)
COORDINATE_RULE = ImageRule(keeps_coordinates=True)
"""What comes back are pixels of the picture as it was sent, which must be the caller's."""
# The upper end is open here alone (contract: shared.image_bounds).
CANVAS_RULE = ImageRule(max_side_px=5999)
IMAGE_AND_MASK_RULES = {"image": IMAGE_RULE, "mask": MASK_RULE}


def compute_text_width(text: str) -> int:
    """The length the vendor counts: wide East Asian characters are two (contract: shared.prompt_length)."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def check_width(name: str, text: str | None, limit: int = MAX_PROMPT_WIDTH) -> None:
    """Raise ``InvalidRequest`` for a text that is too long."""
    width = compute_text_width(text or "")
    if width > limit:
        raise InvalidRequest(
            f"{name}: {width} characters, MHAPI takes {limit} (a Chinese, Japanese or Korean character counts as two)."
        )


def check_seed(seed: int | None, samples: int, max_seed: int = MAX_SEED) -> None:
    """Raise ``InvalidRequest`` where the last picture's seed, ``seed + samples - 1``, is out of range."""
    if seed is not None and seed + samples - 1 > max_seed:
        raise InvalidRequest(f"seed: with {samples} samples it can be at most {max_seed - samples + 1} here.")


def build_seed_notes(seed: int | None) -> tuple[str, ...]:
    """What to tell about a seed of 0."""
    return ("seed 0 means a random seed at this service",) if seed == 0 else ()


async def choose_service_model(
    model_list: MhapiModelList, kind: str, requested_name: str | None, *, field: str = "model", default_id: str = ""
) -> tuple[str, tuple[str, ...]]:
    """The id of the model to use for a service and what to tell about it.

    ``default_id`` is preferred where the caller names none; else it is the first listed. Without a readable list the
    caller's or the usual model is taken as it is. Raises ``InvalidRequest`` for a name that is not listed.
    """
    try:
        models = await model_list.fetch_models(kind)
        found = (
            await model_list.find_model(kind, requested_name)
            if requested_name
            else next((m for m in models if m.id == default_id), None)
        )
    except MODEL_LIST_ERRORS:
        if not (requested_name or default_id):
            raise
        return requested_name or default_id, (
            f"model {requested_name or default_id}, unchecked: the list could not be read",
        )
    if found is not None:
        return found.id, () if requested_name else (f"model {found.id}",)
    if requested_name:
        raise build_unlisted_error(field, requested_name, models)
    if not models:
        raise InvalidRequest(f"{field}: MHAPI lists no model for this account that could do it.")
    return models[0].id, (f"model {models[0].id}",)


def build_unlisted_error(field: str, requested_name: str, models: tuple[ListedModel, ...]) -> InvalidRequest:
    """The error for a model nobody listed."""
    near_id = find_near_id(models, requested_name)
    suggestion = f" Did you mean {near_id}?" if near_id else ""
    return InvalidRequest(
        f"{field}: MHAPI lists no {requested_name!r}; there is {format_model_ids(models)}.{suggestion}",
        hint="list_models shows all.",
    )
