"""What OpenAI-compatible endpoints alone understand; which of it one takes, its server and model decide."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from atelier_mcp.server.requests.base import ImageReference, RequestModel

OpenaiQuality: TypeAlias = Literal["low", "medium", "high", "xhigh", "max", "standard", "hd"]
OpenaiBackground: TypeAlias = Literal["opaque", "transparent"]
OpenaiComplexity: TypeAlias = Literal["low", "medium", "high"]


class OpenaiOptions(RequestModel):
    """Options of a drawing, beside those that every service has."""

    quality: OpenaiQuality | None = Field(None, description="Effort, and price")
    background: OpenaiBackground | None = Field(None, description="transparent: a PNG or WebP one can see through")
    more_images: tuple[ImageReference, ...] = Field((), max_length=15, description="Further source pictures")
    keeps_outside: bool = Field(True, description="inpaint: put the picture back beyond the mask")
    file_format: Literal["png", "jpeg", "webp"] | None = Field(None, description="File format, instead of format")
    compression: int | None = Field(None, ge=0, le=100, description="Percent, of JPEG or WebP")
    complexity: OpenaiComplexity | None = Field(None, description="Planning before drawing")
    input_fidelity: Literal["low", "high"] | None = Field(None, description="How closely faces are kept")
    moderation: Literal["low"] | None = Field(None, description="A less strict filter")


NO_OPTIONS = OpenaiOptions.model_validate({})


def get_options(advanced: RequestModel | None) -> OpenaiOptions:
    """The options a request gives; the defaults where it gives none."""
    return advanced if isinstance(advanced, OpenaiOptions) else NO_OPTIONS
