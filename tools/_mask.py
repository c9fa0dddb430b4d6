"""The area a tool works on: a mask picture, or shapes that become one."""

from __future__ import annotations

import asyncio
import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from atelier_mcp.server.errors import ImageRefused

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from atelier_mcp.server.images.shapes import MaskShape
    from atelier_mcp.server.requests.edit import MaskedEditRequest, Shape
    from atelier_mcp.server.tool_context import ToolContext

MaskedEditT = TypeVar("MaskedEditT", bound="MaskedEditRequest")


async def resolve_mask(request: MaskedEditT, context: ToolContext) -> MaskedEditT:
    """The same request with the shapes drawn into a mask, and the mask looked at before anything is spent.

    Nothing is stored yet: a drawn mask travels as a data URL until the whole request is known to be good.
    """
    from atelier_mcp.server.images import masks

    image_pipeline = context.services.image_pipeline
    if not request.shapes:
        opened = await image_pipeline.open({"mask": request.mask or ""})
        with name_argument_in_errors("mask"):
            await asyncio.to_thread(masks.check_mask, await opened["mask"].read(), "mask")
        return request
    header = (await image_pipeline.open({"image": request.image}))["image"].header
    mask = await asyncio.to_thread(_draw_mask_as_data_url, header.width, header.height, request.shapes)
    update: dict[str, Any] = {"mask": mask, "shapes": ()}
    if "mark" in type(request).model_fields and "mark" not in request.model_fields_set:
        update["mark"] = choose_mark(request.shapes)
    return request.model_copy(update=update)


@contextmanager
def name_argument_in_errors(argument: str) -> Generator[None]:
    """Let the refusal of a picture begin with the argument that named it."""
    try:
        yield
    except ImageRefused as err:
        err.message = f"{argument}: {err.message}"
        raise


def choose_mark(shapes: Sequence[Shape]) -> str:
    """What kind of mark the shapes are to a service: boxes and rings go around a subject, the rest lies on it."""
    kinds = {shape.type for shape in shapes}
    if kinds == {"box"}:
        return "box"
    return "circle" if kinds == {"ellipse"} else "smear"


def build_mask_shapes(shapes: Sequence[Shape]) -> tuple[MaskShape, ...]:
    """The shapes of a request as the images package draws them."""
    from atelier_mcp.server.images.shapes import MaskShape

    return tuple(MaskShape(shape.type, shape.points, shape.width) for shape in shapes)


def _draw_mask_as_data_url(width: int, height: int, shapes: Sequence[Shape]) -> str:
    from atelier_mcp.server.images import masks

    mask = masks.draw_mask(width, height, build_mask_shapes(shapes))
    masks.check_mask(mask, "shapes")
    return f"data:image/png;base64,{base64.b64encode(mask).decode()}"
