"""Requests that change a picture."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from atelier_mcp.server.requests.base import OUTPUT_DEFAULTS, ImageReference, Request, RequestModel
from atelier_mcp.server.requests.create import ImageFormat, Watermark

ShapeType = Literal["box", "ellipse", "polygon", "stroke"]
CutMark = Literal["smear", "box", "circle", "line", "point"]
EraseMark = Literal["free", "smear", "box", "circle", "line", "point"]
Position = Literal[
    "topleft", "topmiddle", "topright",
    "middleleft", "middle", "middleright",
    "bottomleft", "bottommiddle", "bottomright",
]  # fmt: skip
Coordinate = Annotated[int, Field(ge=0, le=20_000), WithJsonSchema({"type": "integer"})]
"""Bounded when it is read; in the schema its kind says enough."""


def _flatten_points(points: Any) -> Any:
    """Points as one list of numbers, also when they came as pairs: [[x1, y1], [x2, y2]]."""
    if isinstance(points, list | tuple) and points and all(isinstance(point, list | tuple) for point in points):  # pyright: ignore[reportUnknownVariableType]  # whatever came
        return [number for point in points for number in point]  # pyright: ignore[reportUnknownVariableType]  # as above
    return points  # pyright: ignore[reportUnknownVariableType]  # as above


class Shape(RequestModel):
    """A drawn area, in pixels of the picture, the origin at its top left."""

    type: ShapeType = Field(description="Kind")
    points: Annotated[tuple[Coordinate, ...], BeforeValidator(_flatten_points)] = Field(
        min_length=2, description="Pixels x1,y1,x2,y2,...; box, ellipse: two corners"
    )
    width: int = Field(24, ge=1, le=2000, description="Of a stroke, pixels")

    @model_validator(mode="after")
    def _check_points(self) -> Self:
        count = len(self.points)
        if count % 2:
            raise ValueError("points are pairs x, y: their count is odd")
        if self.type in ("box", "ellipse") and (count != 4 or not self._has_area()):
            raise ValueError(f"a {self.type} has two corners: x1, y1, x2, y2 with x2 > x1 and y2 > y1")
        if self.type == "polygon" and count < 6:
            raise ValueError("a polygon has at least three points")
        return self

    def _has_area(self) -> bool:
        x1, y1, x2, y2 = self.points
        return x2 > x1 and y2 > y1


class MaskedEditRequest(Request):
    """A picture and the area of it that is worked on: a mask picture, or shapes that become one."""

    image: ImageReference = Field(description="Source picture")
    mask: ImageReference | None = Field(None, description="Black where to work; or give shapes")
    shapes: tuple[Shape, ...] = Field((), max_length=64, description="Where to work")

    @model_validator(mode="after")
    def _require_one_area(self) -> Self:
        if (self.mask is None) == (not self.shapes):
            raise ValueError("give either mask or shapes")
        return self


class InpaintImage(MaskedEditRequest):
    """The masked area drawn anew from a prompt; the size stays."""

    capability: ClassVar[str] = "inpaint_image"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS

    prompt: str = Field(min_length=1, max_length=2000, description="What to draw there")
    negative_prompt: str | None = Field(None, max_length=2000, description="What to avoid")
    strength: float = Field(1, ge=0.1, le=1, description="Freedom from what is there")
    samples: int = Field(1, ge=1, le=8, description="How many pictures")
    seed: int | None = Field(None, ge=0, le=99_999_998, description="Same seed, same picture")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    steps: int | None = Field(None, ge=1, le=70, description="Diffusion steps")
    guidance: float | None = Field(None, ge=1, le=20, description="Prompt adherence")
    enhance_prompt: bool = Field(False, description="Let the service extend it")
    translate_prompt: bool = Field(False, description="Force translation")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")

    @model_validator(mode="after")
    def _require_prompt(self) -> Self:
        if not self.prompt.strip():
            raise ValueError("prompt is blank")
        return self

    def image_count(self) -> int:
        """One per sample."""
        return self.samples


class EraseObject(MaskedEditRequest):
    """The masked area removed and filled in; the size stays."""

    capability: ClassVar[str] = "erase_object"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS | {"mark"}

    mark: EraseMark = Field("free", description="How the mask was made")
    samples: int = Field(1, ge=1, le=8, description="How many pictures")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")

    def image_count(self) -> int:
        """One per sample."""
        return self.samples


class CutOutSubject(MaskedEditRequest):
    """The exact outline of a roughly marked subject, as a mask: black on the subject."""

    capability: ClassVar[str] = "cut_out_subject"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS

    mark: CutMark = Field("smear", description="How a mask marks it; shapes say it themselves")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    format: ImageFormat = Field("png", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")


class SegmentImage(Request):
    """The main subject on a transparent background."""

    capability: ClassVar[str] = "segment_image"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS

    image: ImageReference = Field(description="Source picture")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    format: ImageFormat = Field("png", description="File format; jpg has no transparency")


class OutpaintImage(Request):
    """A picture extended beyond its borders: by a ratio, to a size, or onto a canvas at a chosen place."""

    capability: ClassVar[str] = "outpaint_image"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS

    image: ImageReference = Field(description="Source picture")
    ratio: float | None = Field(None, gt=1, le=5, description="Scale of both sides (1.5); or give width and height")
    width: int | None = Field(None, ge=640, le=6000, description="Canvas, pixels")
    height: int | None = Field(None, ge=640, le=6000, description="Canvas, pixels")
    position: Position = Field("middle", description="Where the source lies")
    x: int | None = Field(None, ge=0, le=6000, description="Or its left edge in the canvas, pixels")
    y: int | None = Field(None, ge=0, le=6000, description="Its top edge")
    samples: int = Field(1, ge=1, le=8, description="How many pictures")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")

    @model_validator(mode="after")
    def _require_one_canvas(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height go together")
        if self.ratio is not None and self.width is not None:
            raise ValueError("give either ratio or width and height")
        if (self.x is not None or self.y is not None) and self.width is None:
            raise ValueError("x and y need width and height")
        return self

    def image_count(self) -> int:
        """One per sample."""
        return self.samples


class UpscaleImage(Request):
    """A picture enlarged with more detail."""

    capability: ClassVar[str] = "upscale_image"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS

    image: ImageReference = Field(description="Source picture, sides up to 2000")
    ratio: float = Field(1.5, gt=1, le=3, description="Scale of both sides")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")


class StylizeImage(Request):
    """A picture redrawn in a style."""

    capability: ClassVar[str] = "stylize_image"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS

    image: ImageReference = Field(description="Source picture")
    style: str = Field(min_length=1, description="Style id from list_models")
    width: int | None = Field(None, ge=640, le=6000, description="Pixels, same ratio; else as the source")
    height: int | None = Field(None, ge=640, le=6000, description="Pixels")
    samples: int = Field(1, ge=1, le=8, description="How many pictures")
    direct: bool = Field(False, description="One blocking call: sooner, less safe")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")

    @model_validator(mode="after")
    def _require_both_sides(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height go together")
        return self

    def image_count(self) -> int:
        """One per sample."""
        return self.samples
