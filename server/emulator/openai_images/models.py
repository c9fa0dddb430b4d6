"""The models that can be called, and what each of them takes (contract: models, dialects)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

CREATED: Final = 1_793_800_000
FREE_SIZE: Final = "free"
THREE_SIZES: Final = ("1024x1024", "1536x1024", "1024x1536")
LOW_TO_HIGH: Final = ("low", "medium", "high", "auto")
DEFAULT_SIZE: Final = (1024, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedModel:
    """One model."""

    id: str
    sizes: tuple[str, ...] | str = FREE_SIZE
    multiple_of: int = 16
    min_edge: int = 16
    max_edge: int = 3840
    min_pixels: int = 655_360
    max_pixels: int = 8_294_400
    qualities: tuple[str, ...] = LOW_TO_HIGH
    has_complexity: bool = False
    has_markup: bool = False
    fidelities: tuple[str, ...] = ()
    shutdown_date: str | None = None
    is_sensenova: bool = False
    """It answers as SenseNova's: one picture, pictures as links or data URLs in JSON, its own fields."""


_NEWEST: Final = EmulatedModel(
    id="gpt-image-2.6-sunburst", qualities=(*LOW_TO_HIGH, "xhigh", "max"), has_complexity=True, has_markup=True
)
MODELS: Final = {
    model.id: model
    for model in (
        _NEWEST,
        replace(_NEWEST, id="gpt-image-2.6-flare"),
        # Complexity on 2.6 names alone (contract: generations.complexity_default); markup on both (models.markup).
        replace(_NEWEST, id="gpt-image-2.5-sunburst", has_complexity=False),
        replace(_NEWEST, id="gpt-image-2.5-flare", has_complexity=False),
        EmulatedModel(id="gpt-image-2"),
        EmulatedModel(id="gpt-image-1.5", sizes=THREE_SIZES, fidelities=("low", "high"), shutdown_date="2026-12-01"),
        EmulatedModel(
            id="sensenova-u1.5-lite",
            multiple_of=32,
            min_edge=512,
            max_edge=4096,
            min_pixels=0,
            max_pixels=4096 * 4096,
            qualities=(),
            is_sensenova=True,
        ),
    )
}
TEXT_MODEL: Final = "gpt-6-mini"
"""A decoy: no field tells it from the others (contract: models.kind)."""


def find_model(name: str, *, unlisted: str) -> EmulatedModel | None:
    """The model of that name, or of its snapshot's; ``unlisted`` is one more that can be called."""
    if unlisted and name == unlisted:
        return replace(_NEWEST, id=name)
    known = next((model for model in MODELS if name == model or name.startswith(f"{model}-20")), None)
    return None if known is None else replace(MODELS[known], id=name)


def build_entry(model_id: str) -> dict[str, Any]:
    """A model as the list has it."""
    model = MODELS.get(model_id)
    return {
        "id": model_id,
        "object": "model",
        "created": CREATED,
        "owned_by": "system",
        "shutdown_date": None if model is None else model.shutdown_date,
    }
