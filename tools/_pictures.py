"""One stored picture as an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from atelier.server.answers import Answer
from atelier.tools._results import ImageResult, image_line

if TYPE_CHECKING:
    from collections.abc import Mapping


class PictureResult(Answer):
    """A picture in the library."""

    image: ImageResult
    made: dict[str, Any] | None = None
    notes: list[str] = Field(default_factory=list[str])

    def text(self) -> str:
        """Handle, size and file; how it was made, where that is known."""
        lines = [image_line(self.image), *self.notes]
        prompt = (self.made or {}).get("prompt")
        if prompt:
            lines.append(f"Prompt: {prompt}")
        return "\n".join(lines)


def provenance(made: Mapping[str, Any]) -> dict[str, Any] | None:
    """How a picture was made, without what the answer says anyway."""
    return {key: value for key, value in made.items() if value not in (None, "", [], {})} or None
