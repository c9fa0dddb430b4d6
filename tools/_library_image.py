"""One stored picture as an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from atelier_mcp.server.job_result import ImageResult, format_image_line
from atelier_mcp.server.tool_result import ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping


MAX_VALUE_CHARACTERS: Final = 200


class LibraryImageResult(ToolResult):
    """A picture in the library."""

    image: ImageResult
    made: dict[str, Any] | None = None
    notes: list[str] = Field(default_factory=list[str])

    def format_text(self) -> str:
        """Handle, size and file; how it was made, where that is known."""
        lines = [format_image_line(self.image), *self.notes]
        return "\n".join([*lines, *format_provenance(self.made or {})])


def clean_provenance(provenance: Mapping[str, Any]) -> dict[str, Any] | None:
    """How a picture was made, without what is not known."""
    return {key: value for key, value in provenance.items() if value not in (None, "", [], {})} or None


def format_provenance(provenance: Mapping[str, Any]) -> list[str]:
    """How a picture was made, for a reader: enough to ask for it again."""
    if "capability" not in provenance:
        return [f"Imported from {provenance['imported_from']}."] if provenance.get("imported_from") else []
    return [
        f"Made by {format_call(provenance['capability'], provenance.get('request', {}))}",
        *filter(None, [provenance.get("disclaimer")]),
    ]


def format_call(tool: str, request: Mapping[str, Any]) -> str:
    """A call in one line: ``generate_image(prompt="a red kite", samples=2)``."""
    argument_texts = ", ".join(f"{name}={_shorten(value)}" for name, value in request.items())
    return f"{tool}({argument_texts})"


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}..."
