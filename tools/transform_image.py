"""Crop, turn, resize, outline or convert a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from atelier_mcp.server.images.refusals import name_argument_in_errors
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ImageReference, ToolArguments
from atelier_mcp.server.requests.sizes import Aspect, check_one_shape, parse_aspect
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._library_image import LibraryImageResult
from atelier_mcp.tools._local_work import store_result

if TYPE_CHECKING:
    from atelier_mcp.server.images.transformation import Transformation

CROP_NUMBERS = 4
MAX_FACTOR = 4


def _check_factor(factor: float) -> float:
    if not 0 <= factor <= MAX_FACTOR:
        raise ValueError(f"a factor from 0 to {MAX_FACTOR}: 1 leaves it as it is, 1.2 is a fifth more")
    return factor


Factor = Annotated[float, AfterValidator(_check_factor), WithJsonSchema({"type": "number"})]
Length = Annotated[int, Field(ge=1, le=40_000), WithJsonSchema({"type": "integer"})]


class TransformImageArguments(ToolArguments):
    """The arguments of ``transform_image``, in the order in which they are carried out."""

    # max_kb finds it.
    hidden_fields: ClassVar[frozenset[str]] = frozenset({"quality"})

    image: ImageReference = Field(description="Picture")
    crop: tuple[int, ...] = Field((), max_length=CROP_NUMBERS, description="x, y, width, height in pixels")
    rotate: Annotated[float, Field(ge=-360, le=360), WithJsonSchema({"type": "number"})] = Field(
        0, description="Degrees clockwise"
    )
    flip: Literal["horizontal", "vertical"] | None = Field(None, description="Mirror it")
    grayscale: bool = Field(False, description="Black and white")
    brightness: Factor | None = Field(None, description="Factor: 1.2 is more")
    contrast: Factor | None = Field(None, description="Likewise")
    saturation: Factor | None = Field(None, description="Likewise")
    blur: Annotated[float, Field(ge=0, le=500), WithJsonSchema({"type": "number"})] = Field(
        0, description="Radius in pixels"
    )
    width: Length | None = Field(None, description="Pixels; one side is enough")
    height: Length | None = Field(None, description="Pixels")
    aspect: Aspect | None = Field(None, description='"16:9": padded to it; cropped with fit cover')
    fit: Literal["contain", "cover", "pad", "stretch"] | None = Field(
        None, description="How it fills the size (contain)"
    )
    outline: Annotated[int, Field(ge=0, le=500), WithJsonSchema({"type": "integer"})] = Field(
        0, description="Border in pixels; around a cut-out's subject"
    )
    outline_color: str | None = Field(None, min_length=1, description="White")
    color: str | None = Field(None, min_length=1, description='Behind it: "#ff8000", CSS name, "transparent"')
    format: Literal["png", "jpg", "webp"] | None = Field(None, description="File format; else as it came")
    quality: Annotated[int, Field(ge=1, le=100), WithJsonSchema({"type": "integer"})] = Field(
        92, description="Of jpg and webp"
    )
    max_kb: Annotated[int, Field(ge=1, le=100_000), WithJsonSchema({"type": "integer"})] | None = Field(
        None, description="Largest file, by quality, then size"
    )

    @model_validator(mode="after")
    def _require_work(self) -> Self:
        # By what was given and not by its value: rotate=0 is an answer to "what to do", if an odd one.
        if not self.model_fields_set - {"image"}:
            raise ValueError(
                "say what to do: crop, rotate, flip, grayscale, brightness, contrast, saturation, blur, width, height, "
                "aspect, outline, color, format or max_kb"
            )
        if self.crop and (len(self.crop) != CROP_NUMBERS or min(self.crop[2:]) < 1):
            raise ValueError("crop: give x, y, width and height in pixels; width and height are at least 1")
        if self.outline_color and not self.outline:
            raise ValueError("outline_color: say its width too, outline in pixels")
        return check_one_shape(self)


@tool(toolset="hands", read_only=False, destructive=False, idempotent=True, open_world=False, opens_studio=True)
async def transform_image(arguments: TransformImageArguments, context: ToolContext) -> LibraryImageResult:
    """Crop, turn, recolour, blur, resize, pad, outline or convert a picture, in this order. Free."""
    from atelier_mcp.server.images.transform import transform

    transformation = _build_transformation(arguments)
    opened = (await context.services.image_pipeline.open({"image": arguments.image}))["image"]
    with name_argument_in_errors("image"):
        data, changes = await context.services.image_workers.run(
            transform, await opened.read(), opened.header, transformation
        )
    return await store_result(data, context, operation="transform", sources=[opened], changes=changes)


def _build_transformation(arguments: TransformImageArguments) -> Transformation:
    from atelier_mcp.server.images.byte_limit import BYTES_PER_KB
    from atelier_mcp.server.images.color_names import WHITE, parse_color
    from atelier_mcp.server.images.transformation import Transformation

    x, y, width, height = arguments.crop or (0, 0, 0, 0)
    return Transformation(
        crop=(x, y, width, height) if arguments.crop else None,
        rotate=arguments.rotate,
        flip=arguments.flip,
        is_grey=arguments.grayscale,
        brightness=_read_factor(arguments.brightness),
        contrast=_read_factor(arguments.contrast),
        saturation=_read_factor(arguments.saturation),
        blur=arguments.blur,
        width=arguments.width,
        height=arguments.height,
        ratio=parse_aspect(arguments.aspect) if arguments.aspect else None,
        # contain would keep the picture's own ratio, and an aspect would change nothing.
        fit=arguments.fit or ("pad" if arguments.aspect else "contain"),
        outline_width=arguments.outline,
        outline_color=parse_color(arguments.outline_color, "outline_color") if arguments.outline_color else WHITE,
        color=parse_color(arguments.color, "color") if arguments.color else None,
        file_format=arguments.format,
        quality=arguments.quality,
        max_bytes=arguments.max_kb and arguments.max_kb * BYTES_PER_KB,
    )


def _read_factor(factor: float | None) -> float:
    return 1 if factor is None else factor
