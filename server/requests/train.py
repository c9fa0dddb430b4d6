"""Requests that train."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from atelier_mcp.server.requests.base import ImageReference, Request

TrainingSubject = Literal["human", "style", "architecture", "plants", "animals"]
TrainingQueue = Literal["normal", "vip"]


class TrainLora(Request):
    """A LoRA trained on pictures."""

    capability: ClassVar[str] = "train_lora"

    images: tuple[ImageReference, ...] = Field(
        (), max_length=1000, description="Training pictures (mhapi: ten and more)"
    )
    dataset_ids: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), max_length=20, description="Data sets from list_datasets, also or instead"
    )
    base: str | None = Field(
        None, min_length=1, max_length=200, description="Id from list_models, kind training_base; else a sensible one"
    )
    subject: TrainingSubject = Field(
        "style", description="human: every picture shows a person; the last three miaohua only"
    )
    name: str | None = Field(None, min_length=1, max_length=64, description="Its name")
    description: str | None = Field(None, max_length=1024, description="What it is for")
    trigger: str | None = Field(None, max_length=256, description="Word that calls it up in prompts")
    queue: TrainingQueue = Field("normal", description="vip: trained first, if the account may")

    @field_validator("images")
    @classmethod
    def _remove_repeats(cls, images: tuple[str, ...]) -> tuple[str, ...]:
        # Different pictures are what counts.
        return tuple(dict.fromkeys(images))

    @model_validator(mode="after")
    def _require_training_images(self) -> Self:
        if not self.images and not self.dataset_ids:
            raise ValueError("give images, dataset_ids or both")
        return self
