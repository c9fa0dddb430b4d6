"""Requests that train."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from atelier.server.requests.base import Picture, Request

Subject = Literal["human", "style"]
Queue = Literal["normal", "vip"]


class TrainLora(Request):
    """A LoRA trained on pictures."""

    capability: ClassVar[str] = "train_lora"

    images: tuple[Picture, ...] = Field(
        min_length=1, max_length=1000, description="Training pictures, at least ten different ones"
    )
    base: str = Field(min_length=1, max_length=200, description="Id from list_models, kind training_base")
    subject: Subject = Field("style", description="human: every picture shows a person")
    name: str | None = Field(None, min_length=1, max_length=64, description="Its name")
    description: str | None = Field(None, max_length=1024, description="What it is for")
    trigger: str | None = Field(None, max_length=256, description="Word that calls it up in prompts")
    queue: Queue = Field("normal", description="vip: trained first, if the account may")

    @field_validator("images")
    @classmethod
    def _no_repeats(cls, images: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(images))
