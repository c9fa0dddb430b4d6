"""Requests that change a picture."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, WithJsonSchema, field_validator, model_validator

from atelier_mcp.server.requests.base import OUTPUT_DEFAULTS, ImageReference, Request, RequestModel
from atelier_mcp.server.requests.create import DrawnLength, ImageFormat, Watermark
from atelier_mcp.server.requests.sizes import Aspect, check_one_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

WantedLength = Annotated[int, Field(ge=1, le=20_000), WithJsonSchema({"type": "integer"})]
PERMILLE: Final = 1000
MAX_RATIO: Final = 3
"""Of upscaling, in one call."""
MAX_POINTS: Final = 2000
"""Of one shape; an outline traced by hand has some hundred."""
ShapeUnit = Literal["px", "permille"]
ShapeType = Literal["box", "ellipse", "polygon", "stroke"]
CutMark = Literal["smear", "box", "circle", "line", "point"]
EraseMark = Literal["free", "smear", "box", "circle", "line", "point"]
Position = Literal[
    "topleft", "topmiddle", "topright",
    "middleleft", "middle", "middleright",
    "bottomleft", "bottommiddle", "bottomright",
]  # fmt: skip
SHAPES_DESCRIPTION = "Added to mask: {type, points: [x1,y1,...], width, unit: permille, subtract}"
Coordinate = Annotated[int, Field(ge=0, le=20_000), WithJsonSchema({"type": "integer"})]
"""Bounded when it is read; in the schema its kind says enough."""


def _flatten_points(points: Any) -> Any:
    """Points as one list of numbers, also when they came as pairs: [[x1, y1], [x2, y2]]."""
    if isinstance(points, list | tuple) and points and all(isinstance(point, list | tuple) for point in points):  # pyright: ignore[reportUnknownVariableType]  # whatever came
        return [number for point in points for number in point]  # pyright: ignore[reportUnknownVariableType]  # as above
    return points  # pyright: ignore[reportUnknownVariableType]  # as above


class Shape(RequestModel):
    """A drawn area, in pixels of the picture or thousandths of its sides, the origin at its top left."""

    type: ShapeType = Field(description="Kind")
    points: Annotated[tuple[Coordinate, ...], BeforeValidator(_flatten_points)] = Field(
        min_length=2, description="x1,y1,x2,y2,...; box, ellipse: two corners"
    )
    width: Annotated[int, Field(ge=1, le=2000), WithJsonSchema({"type": "integer"})] = Field(
        24, description="Of a stroke"
    )
    unit: ShapeUnit = Field("px", description="permille: thousandths of a side")
    subtract: bool = Field(False, description="Take it away")

    @model_validator(mode="after")
    def _check_points(self) -> Self:
        # Pixels have no such end here: the size of the picture is not known before it is opened.
        if self.unit == "permille" and max(self.points) > PERMILLE:
            raise ValueError(f"in permille, points lie between 0 and {PERMILLE}")
        count = len(self.points)
        # Not in the schema, where no picture's outline needs to be told of it.
        if count > 2 * MAX_POINTS:
            raise ValueError(f"at most {MAX_POINTS:,} points make a shape; give a mask picture for more")
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


SHORT_SHAPES_SCHEMA: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": [*typing.get_args(ShapeType)], "description": "Kind"},
            "points": {"type": "array", "items": {"type": "integer"}, "description": "Two corners, or the way"},
        },
        "required": ["type", "points"],
    },
}
"""What a shape needs; the rest is in the description, and in full with ``make_mask``."""


class MaskedEditRequest(Request):
    """A picture and the area of it that is worked on: a mask picture, shapes, or both together."""

    needs_area: ClassVar[bool] = True

    image: ImageReference = Field(description="256 to 6000 px a side")
    mask: ImageReference | None = Field(None, description="Black or transparent where to work")
    shapes: Annotated[tuple[Shape, ...], WithJsonSchema(SHORT_SHAPES_SCHEMA)] = Field(
        (), max_length=64, description=SHAPES_DESCRIPTION
    )
    invert: bool = Field(False, description="Work everywhere else")

    @model_validator(mode="after")
    def _require_area(self) -> Self:
        if self.needs_area and not self.has_area:
            raise ValueError("give mask or shapes, or both")
        return self

    @property
    def has_area(self) -> bool:
        """True when a part of the picture is marked."""
        return self.mask is not None or bool(self.shapes)


class InpaintImage(MaskedEditRequest):
    """The masked area drawn anew from a prompt; the size stays."""

    capability: ClassVar[str] = "inpaint_image"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS | {
        "translate_prompt",
        "enhance_prompt",
        "steps",
        "guidance",
        "advanced",
    }

    prompt: str = Field(min_length=1, max_length=2000, description="What to draw there")
    negative_prompt: str | None = Field(None, max_length=2000, description="What to avoid")
    strength: Annotated[float, Field(ge=0.1, le=1), WithJsonSchema({"type": "number", "maximum": 1})] = Field(
        1, description="Freedom from what is there"
    )
    samples: int = Field(1, ge=1, le=8, description="How many")
    seed: int | None = Field(None, ge=0, le=99_999_998, description="Same seed, same picture")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    steps: int | None = Field(None, ge=1, le=70, description="Diffusion steps")
    guidance: float | None = Field(None, ge=1, le=20, description="Prompt adherence")
    enhance_prompt: bool = Field(False, description="Let the service extend it")
    translate_prompt: bool = Field(False, description="Force translation")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")
    advanced: SerializeAsAny[RequestModel] | None = Field(None, description="Service's own")

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
    samples: int = Field(1, ge=1, le=8, description="How many")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")

    def image_count(self) -> int:
        """One per sample."""
        return self.samples


class CutOutSubject(MaskedEditRequest):
    """A subject lifted out of its picture: the main one, or the one that is roughly marked."""

    capability: ClassVar[str] = "cut_out_subject"
    output_fields: ClassVar[frozenset[str]] = frozenset({"watermark"})
    hidden_fields: ClassVar[frozenset[str]] = frozenset({"watermark", "mark"})
    needs_area: ClassVar[bool] = False

    strict: bool = Field(False, description="Nothing outside of the marks")
    mark: CutMark = Field("smear", description="How a mask marks it; shapes say it themselves")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    watermark: Watermark = Field("notice", description="Visible mark")

    @model_validator(mode="after")
    def _require_marks(self) -> Self:
        if (self.strict or self.invert) and not self.has_area:
            raise ValueError(f"{'strict' if self.strict else 'invert'} needs marks: give mask or shapes")
        return self


Extension = Annotated[float, Field(ge=0, le=6000), WithJsonSchema({"type": "number"})]
"""Whole numbers are pixels, fractions are shares of the picture's side: 200, 0.5, 1.25."""


CanvasLength = Annotated[int, Field(ge=0, le=6000), WithJsonSchema({"type": "integer"})]


class OutpaintImage(Request):
    """A picture extended beyond its borders: by sides, to an aspect, by a scale, or onto a canvas at a chosen place."""

    capability: ClassVar[str] = "outpaint_image"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS

    image: ImageReference = Field(description="256 to 5999 px a side")
    left: Extension | None = Field(None, description="Extend there: pixels, or a share of the width (0.5)")
    right: Extension | None = Field(None, description="As left")
    top: Extension | None = Field(None, description="As left, of the height")
    bottom: Extension | None = Field(None, description="As top")
    aspect: Aspect | None = Field(None, description='Or to "16:9", "1:1", ...')
    scale: float | None = Field(None, gt=1, le=5, description="Or both sides times this (1.5)")
    width: CanvasLength | None = Field(None, description="Or a canvas, pixels")
    height: CanvasLength | None = Field(None, description="Its height; else as the source")
    position: Annotated[Position, WithJsonSchema({"type": "string"})] = Field(
        "middle", description="Of the source: topleft ... bottomright"
    )
    x: CanvasLength | None = Field(None, description="Or its left edge")
    y: CanvasLength | None = Field(None, description="Its top edge")
    samples: int = Field(1, ge=1, le=8, description="How many")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")

    @property
    def sides(self) -> tuple[float | None, ...]:
        """What is added at the left, right, top and bottom."""
        return self.left, self.right, self.top, self.bottom

    @property
    def has_sides(self) -> bool:
        """True when the canvas is said by what is added at the sides."""
        return any(side is not None for side in self.sides)

    @model_validator(mode="after")
    def _require_one_canvas(self) -> Self:
        has_size = self.width is not None or self.height is not None
        ways = {
            "left, right, top, bottom": self.has_sides,
            "scale": self.scale is not None,
            "aspect, width, height": has_size or self.aspect is not None,
        }
        # None of them is fine: then it is extended by the default scale.
        used = [way for way, is_used in ways.items() if is_used]
        if len(used) > 1:
            raise ValueError(f"{' and '.join(used)} say the same: give one of them")
        has_canvas = has_size or self.aspect is not None or self.scale is not None
        if (self.x is not None or self.y is not None) and not has_canvas:
            raise ValueError(
                "x and y need aspect, scale, width or height; left, right, top and bottom say the place themselves"
            )
        if self.has_sides and not any(self.sides):
            raise ValueError("left, right, top, bottom: nothing is added")
        return check_one_shape(self)

    def image_count(self) -> int:
        """One per sample."""
        return self.samples


class UpscaleImage(Request):
    """A picture enlarged with more detail."""

    capability: ClassVar[str] = "upscale_image"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS | {"height"}

    image: ImageReference = Field(description="256 to 2000 px a side; larger in tiles, each a picture")
    ratio: Annotated[float, Field(gt=1), WithJsonSchema({"type": "number", "maximum": MAX_RATIO})] = Field(
        1.5, description="Scale of both sides"
    )
    width: WantedLength | None = Field(None, description="Or its width")
    height: WantedLength | None = Field(None, description="Or its height")
    model: str | None = Field(None, min_length=1, description="Id from list_models")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")

    @model_validator(mode="after")
    def _require_one_size(self) -> Self:
        given = [name for name in ("ratio", "width", "height") if name in self.model_fields_set]
        if len(given) > 1 and (self.width or self.height):
            raise ValueError(f"{' and '.join(given)} say the same: give one of them")
        return self

    def choose_by_sizes(self, sizes: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
        """The ratio in place of a side.

        Raises ``ValueError`` for a side that is not larger, or more than ``MAX_RATIO`` times as long.
        """
        width, height = sizes["image"]
        name, wanted, side = ("width", self.width, width) if self.width else ("height", self.height, height)
        if not wanted:
            return {}
        if wanted <= side:
            raise ValueError(f"{name}: the picture has {side} pixels already; transform_image makes it smaller")
        if wanted > MAX_RATIO * side:
            raise ValueError(
                f"{name}: at most {MAX_RATIO * side} at once, {MAX_RATIO} times what it has; upscale the result again"
            )
        return {"ratio": wanted / side, "width": None, "height": None}

    @field_validator("ratio")
    @classmethod
    def _check_ratio(cls, ratio: float) -> float:
        if ratio > MAX_RATIO:
            raise ValueError(f"at most {MAX_RATIO} at once; upscale the result again for more")
        return ratio


class StylizeImage(Request):
    """A picture redrawn in a style."""

    capability: ClassVar[str] = "stylize_image"
    hidden_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS | {"direct"}

    image: ImageReference = Field(description="256 to 6000 px a side")
    style: str = Field(min_length=1, description="Style id from list_models")
    width: DrawnLength | None = Field(None, description="Pixels; else as the source")
    height: DrawnLength | None = Field(None, description="Pixels")
    aspect: Aspect | None = Field(None, description='Crop to "1:1", "16:9", ...')
    samples: int = Field(1, ge=1, le=8, description="How many")
    direct: bool = Field(False, description="One blocking call: sooner, less safe")
    format: ImageFormat = Field("jpg", description="File format")
    watermark: Watermark = Field("notice", description="Visible mark")

    @model_validator(mode="after")
    def _require_one_shape(self) -> Self:
        return check_one_shape(self)

    def image_count(self) -> int:
        """One per sample."""
        return self.samples
