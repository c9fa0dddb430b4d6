"""Requests about faces."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from atelier_mcp.server.requests.base import OUTPUT_DEFAULTS, ImageReference, Request, RequestModel
from atelier_mcp.server.requests.create import ImageFormat, Watermark

FaceStyle = Literal["normal", "anime"]


class DetectFaces(Request):
    """The faces in a picture, numbered, each with its box."""

    capability: ClassVar[str] = "detect_faces"

    image: ImageReference = Field(description="Picture")
    style: FaceStyle = Field("normal", description="Photo or drawing")

    def image_count(self) -> int:
        """Nothing: no picture is made."""
        return 0


class FaceReplacement(RequestModel):
    """A face and whom it replaces."""

    image: ImageReference = Field(description="Picture with the new face")
    index: int | None = Field(None, ge=0, description="Which face in it (0)")
    target_index: int | None = Field(None, ge=0, description="Which face it replaces; else in order")

    @classmethod
    def expand_text(cls, text: str) -> dict[str, Any]:
        """The picture with the only new face."""
        return {"image": text}


class SwapFaces(Request):
    """A picture with up to four of its faces replaced."""

    capability: ClassVar[str] = "swap_faces"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS | {"direct", "guidance", "prompt"}

    image: ImageReference = Field(description="Picture to change")
    faces: tuple[FaceReplacement, ...] = Field(
        min_length=1, max_length=4, description="New faces; numbers from detect_faces"
    )
    style: FaceStyle = Field("normal", description="Photo or drawing")
    likeness: float | None = Field(None, ge=0, le=1, description="Weight of fine features (0.2)")
    guidance: int | None = Field(None, ge=10, le=100, description="Lower: more alike (30)")
    prompt: str | None = Field(None, max_length=1000, description="Extra prompt")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    direct: bool = Field(False, description="One blocking call: sooner, less safe")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")

    @model_validator(mode="after")
    def _require_unique_targets(self) -> Self:
        targets = self.assign_targets()
        if len(set(targets)) < len(targets):
            raise ValueError("two faces have the same target_index")
        return self

    def assign_targets(self) -> tuple[int, ...]:
        """Which face of the target each new face replaces; those left open take the free numbers in order."""
        taken = {face.target_index for face in self.faces}
        # Twice as many numbers as faces are always enough: at most len(faces) of them are taken.
        free = (number for number in range(2 * len(self.faces)) if number not in taken)
        return tuple(next(free) if face.target_index is None else face.target_index for face in self.faces)
