"""Requests about data sets: pictures kept at a service to train on."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from atelier_mcp.server.requests.base import ImageReference, Request

DatasetImage = Annotated[str, Field(min_length=1, max_length=4000)]
DatasetId = Annotated[int, Field(ge=1)]


class CreateDataset(Request):
    """A new data set of pictures."""

    capability: ClassVar[str] = "create_dataset"

    name: str = Field(min_length=1, max_length=64, description="Its name")
    images: tuple[ImageReference, ...] = Field(
        min_length=1, max_length=100, description="Pictures; more with add_dataset_images"
    )
    description: str | None = Field(None, max_length=1024, description="What it is for")

    def image_count(self) -> int:
        """Nothing: no picture is made."""
        return 0


class ListDatasets(Request):
    """One page of the account's data sets, or one with its pictures."""

    capability: ClassVar[str] = "list_datasets"

    dataset_id: DatasetId | None = Field(None, description="Only this one, with its pictures")
    page: int = Field(1, ge=1, description="Page, twenty a page")

    def image_count(self) -> int:
        """Nothing: no picture is made."""
        return 0


class AddDatasetImages(Request):
    """Pictures put into a data set."""

    capability: ClassVar[str] = "add_dataset_images"

    dataset_id: DatasetId = Field(description="Id from list_datasets")
    images: tuple[ImageReference, ...] = Field(min_length=1, max_length=100, description="Pictures to add")

    def image_count(self) -> int:
        """Nothing: no picture is made."""
        return 0


class RemoveDatasetImages(Request):
    """Pictures taken out of a data set."""

    capability: ClassVar[str] = "remove_dataset_images"

    dataset_id: DatasetId = Field(description="Id from list_datasets")
    images: tuple[DatasetImage, ...] = Field(
        min_length=1, max_length=100, description="Handles, names or links, as list_datasets shows them"
    )

    def image_count(self) -> int:
        """Nothing: no picture is made."""
        return 0
