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
from atelier_mcp.server.tool_result import ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.provenance import Provenance

MAX_VALUE_CHARACTERS: Final = 200


class LibraryImageResult(ToolResult):
    """A picture in the library."""

    shows_images: ClassVar[bool] = True

    image: ImageResult
    made: dict[str, Any] | None = None
    notes: list[str] = Field(default_factory=list[str])

    _provenance_lines: list[str] = PrivateAttr(default_factory=list[str])

    def format_text(self) -> str:
        """Handle, size and file; how it was made, where that is known."""
        return "\n".join([format_image_line(self.image), *self.notes, *self._provenance_lines])

    def add_provenance(self, provenance: Provenance) -> None:
        """Say how the picture came to be, to programs and to a reader."""
        self.made = build_provenance_facts(provenance)
        self._provenance_lines = format_provenance(provenance)


def build_provenance_facts(provenance: Provenance) -> dict[str, Any] | None:
    """How a picture came to be, for programs: what is known of it, in the words of the tools' arguments."""
    return {name: value for name, value in _list_facts(provenance).items() if value not in (None, "", [], {})} or None


def format_provenance(provenance: Provenance) -> list[str]:
    """How a picture came to be, for a reader: where it is from, or enough to ask for it again."""
    match provenance:
        case Generated(capability=capability, request=request):
            return [f"Made by {format_call(capability, request)}", *[EMULATED_NOTE] * provenance.is_emulated]
        case Imported(source=source):
            return [f"Imported from {source}."] if source else []
        case Derived(parents=parents, changes=changes):
            return [f"Made from {', '.join(parents)}: {'; '.join(changes) or provenance.operation}."]
        case DrawnMask(image=image):
            return [f"Made by {format_call('make_mask', _list_mask_arguments(provenance))}"] if image else []
        case Unrecorded():
            return []
        case _:
            assert_never(provenance)


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
