"""What a tool gives back: structured content under a schema, a short text, and blocks for the eye."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from mcp_types import ContentBlock
from pydantic import BaseModel, ConfigDict, PrivateAttr


class ToolResult(BaseModel, ABC):
    """The base of every tool's result. Its fields are the structured content."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", defer_build=True)

    _blocks: list[ContentBlock] = PrivateAttr(default_factory=list[Any])

    @abstractmethod
    def format_text(self) -> str:
        """The answer in a few lines, for a model to read."""
        ...

    @property
    def blocks(self) -> list[ContentBlock]:
        """Previews and resource links that follow the text."""
        return self._blocks

    def to_structured_content(self) -> dict[str, Any]:
        """The structured content: JSON, without what is not known."""
        return self.model_dump(mode="json", exclude_none=True)
