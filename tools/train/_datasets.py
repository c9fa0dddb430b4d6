"""Data sets as answers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from atelier_mcp.server.answers import Answer


class DatasetResult(BaseModel):
    """One data set; ``images`` are links to its pictures."""

    id: int
    name: str
    description: str = ""
    updated: str = ""
    count: int
    images: list[str] = Field(default_factory=list[str])

    def line(self) -> str:
        """Id, name and size."""
        about = f" ({self.description})" if self.description else ""
        return f"{self.id}: {self.name}{about}, {_pictures(self.count)}"


class ChangeResult(Answer):
    """What was done to a data set."""

    provider: str
    dataset_id: int
    added: int | None = None
    removed: int | None = None

    def text(self) -> str:
        """One line."""
        if self.added is not None:
            return f"{_pictures(self.added)} added to data set {self.dataset_id}."
        if self.removed is not None:
            return f"{_pictures(self.removed)} removed from data set {self.dataset_id}."
        return f"Data set {self.dataset_id} is made; give its id to train_lora in dataset_ids."


def _pictures(count: int) -> str:
    return f"{count} picture{'s' * (count != 1)}"
