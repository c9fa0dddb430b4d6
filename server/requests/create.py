"""Requests that make new pictures."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, SerializeAsAny, WithJsonSchema, model_validator

from atelier_mcp.server.requests.base import ImageReference, Request, RequestModel
from atelier_mcp.server.requests.sizes import Aspect, check_one_shape

ControlType = Literal[
    "canny", "depth", "ip2p", "lineart", "lineart_anime", "mlsd", "normal", "openpose", "scribble", "shuffle",
    "softedge", "tile", "seg", "brightness", "reference_only", "ip_adapter_faceid",
]  # fmt: skip
ImageFormat = Literal["jpg", "png"]
Watermark = Literal["notice", "logo"]


RARE: Final[dict[str, Any]] = {"rare": True}
"""A field of a list's items that is named in the list's description instead of put before a model in full."""
DrawnLength = Annotated[int, Field(ge=64, le=6000), WithJsonSchema({"type": "integer", "maximum": 6000})]
"""A side of a picture to be made, in pixels; its minimum, which hardly anybody goes below, is in no schema."""
CannyThreshold = Annotated[int, Field(ge=1, le=255), WithJsonSchema({"type": "integer"})]


class ControlNetUnit(RequestModel):
    """One ControlNet: a picture that guides the composition."""

    type: ControlType = Field(description="What is taken from it")
    image: ImageReference = Field(description="Guide picture")
    weight: float = Field(1, gt=0, le=2, description="Influence")
    pre_processor: str | None = Field(None, description="How it is read; 'pass': already a map")
    start: float = Field(0, ge=0, le=1, description="From this share of the run", json_schema_extra=RARE)
    end: float = Field(1, ge=0, le=1, description="Until then", json_schema_extra=RARE)
    canny_low: CannyThreshold | None = Field(None, description="canny threshold (100)", json_schema_extra=RARE)
    canny_high: CannyThreshold | None = Field(None, description="canny threshold (200)", json_schema_extra=RARE)
    tile_rate: float | None = Field(None, ge=1, le=8, description="tile: down-sampling", json_schema_extra=RARE)

    @model_validator(mode="after")
    def _require_ordered_bounds(self) -> Self:
        if self.start > self.end:
            raise ValueError(f"start {self.start} lies after end {self.end}")
        # With the defaults filled in: 250 for the lower one alone is wrong, too.
        if (self.canny_low or 100) > (self.canny_high or 200):
            raise ValueError("canny_low is above canny_high (defaults: 100 and 200)")
        return self


class Lora(RequestModel):
    """A LoRA and how strongly it is merged in."""

    model: str = Field(min_length=1, description="Id from list_models")
    weight: float = Field(1, gt=0, lt=2, description="Weight")

    @classmethod
    def expand_text(cls, text: str) -> dict[str, Any]:
        """An id, at the usual weight."""
        return {"model": text}


class GenerateImage(Request):
    """Pictures from a prompt, optionally from a source picture, controls and LoRAs."""

    capability: ClassVar[str] = "generate_image"
    hidden_fields: ClassVar[frozenset[str]] = frozenset(
        {"advanced", "enhance_prompt", "translate_prompt", "watermark", "workflow", "workflow_inputs"}
    )

    prompt: str = Field(min_length=1, max_length=2000, description="What to draw")
    negative_prompt: str | None = Field(None, max_length=2000, description="What to avoid")
    image: ImageReference | None = Field(None, description="Source picture: handle, link, path or data URL")
    strength: float = Field(0.6, ge=0, le=1, description="Freedom from the source")
    width: DrawnLength | None = Field(None, description="Pixels (960)")
    height: DrawnLength | None = Field(None, description="Pixels")
    aspect: Aspect | None = Field(None, description='"16:9", "3:4", ...; alone or with one side')
    samples: int = Field(1, ge=1, le=8, description="How many")
    # The printed end is 99999999, open (contract: imgenstd.imgen.seed_range).
    seed: int | None = Field(None, ge=0, le=99_999_998, description="Picture n uses seed + n")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    steps: int | None = Field(None, ge=1, le=70, description="Else the model's")
    guidance: float | None = Field(None, ge=1, le=20, description="Prompt adherence")
    controls: tuple[ControlNetUnit, ...] = Field(
        (), max_length=3, description="ControlNets: {type, image, ..., canny_low, canny_high, tile_rate}"
    )
    loras: tuple[Lora, ...] = Field((), max_length=3, description="LoRAs of the same base")
    enhance_prompt: bool = Field(False, description="Let the service extend it")
    translate_prompt: bool = Field(False, description="Force translation")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")
    # SerializeAsAny, or the subclass's own fields would be missing from what the ledger keeps.
    advanced: SerializeAsAny[RequestModel] | None = Field(None, description="Service's own")

    workflow: str | None = Field(None, min_length=1, description="Own workflow, from list_models")
    workflow_inputs: dict[str, str | int | float | bool] | None = Field(None, description="Its other inputs")

    @model_validator(mode="after")
    def _require_prompt(self) -> Self:
        if not self.prompt.strip():
            raise ValueError("prompt is blank")
        return check_one_shape(self)

    def image_count(self) -> int:
        """One per sample."""
        return self.samples
