"""Data sets as answers."""

from __future__ import annotations

from pydantic import BaseModel, Field, computed_field

from atelier_mcp.server.tool_result import ToolResult


class DatasetResult(BaseModel):
    """One data set; ``images`` are links to its pictures."""

    id: int
    name: str
    description: str = ""
    updated: str = ""
    count: int
    images: list[str] = Field(default_factory=list[str])

    def format_line(self) -> str:
        """Id, name and size."""
        description_text = f" ({self.description})" if self.description else ""
        return f"{self.id}: {self.name}{description_text}, {_format_image_count(self.count)}"


class DatasetChangeResult(ToolResult):
    """What was done to a data set."""

    provider: str
    dataset_id: int
    added: int | None = None
    removed: int | None = None

    @computed_field
    @property
    def notes(self) -> list[str]:
        """What to do next."""
        is_new = self.added is None and self.removed is None
        return ["Give its id to train_lora in dataset_ids."] * is_new

    def format_text(self) -> str:
        """One line."""
        if self.added is not None:
            return f"{_format_image_count(self.added)} added to data set {self.dataset_id}."
        if self.removed is not None:
            return f"{_format_image_count(self.removed)} removed from data set {self.dataset_id}."
        return " ".join([f"Data set {self.dataset_id} is made.", *self.notes])


def _format_image_count(count: int) -> str:
    return f"{count} picture{'s' * (count != 1)}"
