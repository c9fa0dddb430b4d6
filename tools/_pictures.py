"""One stored picture as an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from atelier_mcp.server.answers import Answer
from atelier_mcp.tools._results import ImageResult, image_line

if TYPE_CHECKING:
    from collections.abc import Mapping


LONGEST_VALUE: Final = 200


class PictureResult(Answer):
    """A picture in the library."""

    image: ImageResult
    made: dict[str, Any] | None = None
    notes: list[str] = Field(default_factory=list[str])

    def text(self) -> str:
        """Handle, size and file; how it was made, where that is known."""
        lines = [image_line(self.image), *self.notes]
        return "\n".join([*lines, *told(self.made or {})])


def provenance(made: Mapping[str, Any]) -> dict[str, Any] | None:
    """How a picture was made, without what is not known."""
    return {key: value for key, value in made.items() if value not in (None, "", [], {})} or None


def told(made: Mapping[str, Any]) -> list[str]:
    """How a picture was made, for a reader: enough to ask for it again."""
    if "capability" not in made:
        return [f"Imported from {made['imported_from']}."] if made.get("imported_from") else []
    return [f"Made by {asked(made['capability'], made.get('request', {}))}", *filter(None, [made.get("disclaimer")])]


def asked(tool: str, request: Mapping[str, Any]) -> str:
    """A call in one line: ``generate_image(prompt="a red kite", samples=2)``."""
    given = ", ".join(f"{name}={_short(value)}" for name, value in request.items())
    return f"{tool}({given})"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
