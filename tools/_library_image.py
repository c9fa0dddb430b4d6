"""One stored picture as an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final, assert_never

from pydantic import Field, PrivateAttr

from atelier_mcp.server.images.provenance import (
    Derived,
    DrawnMask,
    Generated,
    Imported,
    Unrecorded,
    shape_to_document,
)
from atelier_mcp.server.job_result import ImageResult, format_image_line
from atelier_mcp.server.providers.base import EMULATED_NOTE
from atelier_mcp.server.requests.recipe import build_recipe
from atelier_mcp.server.tool_result import ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from atelier_mcp.server.images.opening import OpenedImage
    from atelier_mcp.server.images.provenance import Provenance
    from atelier_mcp.server.images.store import StoredImage

MAX_VALUE_CHARACTERS: Final = 4000
"""Longer than any prompt: only a conversation or a drawing of many points is cut short."""


class LibraryImageResult(ToolResult):
    """A picture in the library."""

    shows_images: ClassVar[bool] = True

    image: ImageResult
    made: dict[str, Any] | None = None
    notes: list[str] = Field(default_factory=list[str])

    # Private, so that they are no part of the structured content, which has the same facts as data.
    _provenance_lines: list[str] = PrivateAttr(default_factory=list[str])

    def format_text(self) -> str:
        """Handle, size and file; how it was made, where that is known."""
        return "\n".join([self._format_headline(), *self.notes, *self._provenance_lines])

    def add_story(self, stored: StoredImage) -> None:
        """Say when and how the picture came to be, to programs and to a reader."""
        self.made = {"created_at": f"{stored.created_at:%Y-%m-%d %H:%M:%S} UTC"}
        self.made |= build_provenance_facts(stored.provenance) or {}
        self._provenance_lines = format_provenance(stored.provenance, created_at=stored.created_at)

    def _format_headline(self) -> str:
        if self.image.handle:
            return format_image_line(self.image)
        size = f"{self.image.width}x{self.image.height}"
        return f"{self.image.path}  {size}, not in the library: import_image gives it a handle."


def build_unstored_result(opened: OpenedImage) -> LibraryImageResult:
    """The answer for a picture that is not in the library; its ``path`` says where it is."""
    header = opened.header
    return LibraryImageResult(
        image=ImageResult(handle="", path=opened.source, width=header.width, height=header.height)
    )


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
        "invert": mask.is_inverted or None,
    }
    return {name: value for name, value in arguments.items() if value}


def format_call(tool: str, request: Mapping[str, Any]) -> str:
    """A call in one line: ``generate_image(prompt="a red kite", samples=2)``."""
    argument_texts = ", ".join(f"{name}={_shorten(value)}" for name, value in request.items())
    return f"{tool}({argument_texts})"


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}..."
