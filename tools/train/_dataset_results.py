"""Data sets as answers."""

from __future__ import annotations

from pydantic import BaseModel, Field, computed_field

from atelier_mcp.server.tool_result import ToolResult


class DatasetImage(BaseModel):
    """One picture of a data set."""

    name: str
    handle: str | None = None
    """Its handle in the library, where it was put in from here."""
    link: str

    def format_line(self) -> str:
        """Name and handle; the link, which import_image takes, where it has no handle here."""
        return f"  {self.name}  {self.handle or self.link}"


class DatasetResult(BaseModel):
    """One data set, with its pictures where it was asked for alone."""

    id: int
    name: str
    description: str = ""
    updated: str = ""
    count: int
    images: list[DatasetImage] = Field(default_factory=list[DatasetImage])

    def format_text(self) -> str:
        """Id, name and size, then a line for each picture."""
        description_text = f" ({self.description})" if self.description else ""
        headline = f"{self.id}: {self.name}{description_text}, {_format_image_count(self.count)}"
        return "\n".join([headline, *(image.format_line() for image in self.images)])


class DatasetChangeResult(ToolResult):
    """What was done to a data set, and what is in it then."""

    provider: str
    dataset_id: int
    added: int | None = None
    removed: int | None = None
    dataset: DatasetResult | None = None

    @computed_field
    @property
    def notes(self) -> list[str]:
        """What to do next."""
        is_new = self.added is None and self.removed is None
        return ["Give its id to train_lora in dataset_ids."] * is_new

    def format_text(self) -> str:
        """What was done, then the data set."""
        return "\n".join([self._format_headline(), *([self.dataset.format_text()] if self.dataset else [])])

    def _format_headline(self) -> str:
        place = f"data set {self.dataset_id} at {self.provider}"
        # Not by truth: none of the pictures added is an answer, too.
        if self.added is not None:
            return f"{_format_image_count(self.added)} added to {place}."
        if self.removed is not None:
            return f"{_format_image_count(self.removed)} removed from {place}."
        return " ".join([f"{place.capitalize()} is made.", *self.notes])


def _format_image_count(count: int) -> str:
    return f"{count} picture{'s' * (count != 1)}"
