"""How a stored picture came to be, told to programs and to readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from atelier_mcp.server.images.provenance import (
    Derived,
    DrawnMask,
    Generated,
    Imported,
    Unrecorded,
    shape_to_document,
)
from atelier_mcp.server.providers.base import EMULATED_NOTE
from atelier_mcp.server.requests.recipe import build_recipe, format_call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from atelier_mcp.server.images.provenance import Provenance


def build_provenance_facts(provenance: Provenance) -> dict[str, Any] | None:
    """How a picture came to be, for programs: what is known of it, in the words of the tools' arguments."""
    # By equality and not by truth: a seed of 0 is a fact.
    return {name: value for name, value in _list_facts(provenance).items() if value not in (None, "", [], {})} or None


def format_provenance(provenance: Provenance, *, created_at: datetime) -> list[str]:
    """How a picture came to be, for a reader: where it is from, or enough to ask for it again."""
    date = f"{created_at:%Y-%m-%d %H:%M:%S} UTC"
    match provenance:
        case Generated():
            return _format_generation(provenance, date)
        case Imported(source=source, changes=changes):
            return [f"Imported from {'; '.join([source, *changes])}, {date}."] if source else [f"Imported {date}."]
        case Derived(parents=parents, changes=changes):
            return [f"Made from {', '.join(parents)}: {'; '.join(changes) or provenance.operation}, {date}."]
        # Without its picture the call could not be made again.
        case DrawnMask(image=image):
            return [f"Made by {format_call('make_mask', _list_mask_arguments(provenance))}, {date}"] if image else []
        case Unrecorded():
            return []
        case _:
            assert_never(provenance)


def _format_generation(provenance: Generated, date: str) -> list[str]:
    seed = "" if provenance.seed is None else f", seed {provenance.seed}"
    recipe = build_recipe(
        provenance.capability,
        provenance.request,
        provider=provenance.provider,
        seed=provenance.seed,
        is_single=True,
    )
    return [
        f"Made by {format_call(provenance.capability, recipe)}",
        f"Job {provenance.job} at {provenance.provider}, {date}{seed}.",
        *[f"Remarks: {'; '.join(provenance.notes)}."] * bool(provenance.notes),
        *[EMULATED_NOTE] * provenance.is_emulated,
    ]


def _list_facts(provenance: Provenance) -> Mapping[str, Any]:
    match provenance:
        case Generated():
            return {
                "job": provenance.job,
                "capability": provenance.capability,
                "provider": provenance.provider,
                "disclaimer": EMULATED_NOTE if provenance.is_emulated else None,
                "request": dict(provenance.request),
                "notes": list(provenance.notes),
                "seed": provenance.seed,
            }
        case Imported():
            return {"imported_from": provenance.source, "changes": list(provenance.changes)}
        case Derived():
            return {
                "parents": list(provenance.parents),
                "operation": provenance.operation,
                "changes": list(provenance.changes),
            }
        case DrawnMask():
            return {"tool": "make_mask", **_list_mask_arguments(provenance)}
        case Unrecorded(facts=facts):
            return facts
        case _:
            assert_never(provenance)


def _list_mask_arguments(mask: DrawnMask) -> dict[str, Any]:
    """The arguments of the call that draws the same mask again."""
    arguments: dict[str, Any] = {
        "image": mask.image,
        "shapes": [shape_to_document(shape) for shape in mask.shapes],
        # Under the names that make_mask takes, for the call to be repeated as it stands.
        "mask": mask.base_mask,
        "grow": mask.growth,
        "invert": mask.is_inverted or None,
    }
    return {name: value for name, value in arguments.items() if value}
