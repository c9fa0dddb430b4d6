"""What a tool gives back: a short text, blocks for the eye, and the same facts for programs.

Clients that find structured content in an answer show it in place of everything else: a picture beside it is never
seen. So the facts of an answer that may hold pictures travel in ``_meta``, and its tool publishes no output schema.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

from mcp_types import CallToolResult, ContentBlock
from pydantic import BaseModel, ConfigDict, PrivateAttr

FACTS_KEY: Final = "atelier/result"
"""Where in ``_meta`` the facts of an answer stand whose tool has no structured content."""


def get_facts(result: CallToolResult) -> dict[str, Any]:
    """The facts of an answer, wherever they travelled; empty where there are none."""
    return result.structured_content or (result.meta or {}).get(FACTS_KEY) or {}


class ToolResult(BaseModel, ABC):
    """The base of every tool's result. Its fields are the facts for programs."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", defer_build=True)

    shows_images: ClassVar[bool] = False
    """Whether there may be pictures among the blocks."""

    _blocks: list[ContentBlock] = PrivateAttr(default_factory=list[Any])

    @abstractmethod
    def format_text(self) -> str:
        """The answer in a few lines, for a model to read."""
        ...

    @property
    def blocks(self) -> list[ContentBlock]:
        """What follows the text: previews, and links where they are asked for."""
        return self._blocks

    def to_facts(self) -> dict[str, Any]:
        """The facts as JSON, without what is not known."""
        return self.model_dump(mode="json", exclude_none=True)
