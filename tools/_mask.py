"""The area a tool works on: a mask picture, or shapes that become one."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from atelier_mcp.server.images.refusals import name_argument_in_errors
from atelier_mcp.server.requests.edit import PERMILLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.images.shapes import MaskShape
    from atelier_mcp.server.images.workers import ImageWorkers
    from atelier_mcp.server.requests.edit import MaskedEditRequest, Shape
    from atelier_mcp.server.tool_context import ToolContext

MaskedEditT = TypeVar("MaskedEditT", bound="MaskedEditRequest")


async def resolve_mask(request: MaskedEditT, context: ToolContext) -> MaskedEditT:
    """The same request with mask, shapes and invert drawn into one mask, looked at before anything is spent.

    Nothing is stored yet: a drawn mask travels as a data URL until the whole request is known to be good.
    """
    from atelier_mcp.server.images import masks

    if not request.has_area:
        return request
    references = {"image": request.image, **({"mask": request.mask} if request.mask else {})}
    opened = await context.services.image_pipeline.open(references)
    base_mask = await opened["mask"].read() if "mask" in opened else None
    # Nothing to draw: the caller's own mask goes on as it is, with its handle and its provenance.
    if base_mask is not None and not request.shapes and not request.invert:
        with name_argument_in_errors("mask"):
            await context.services.image_workers.run(
                masks.check_mask, base_mask, "mask", is_deliberate=is_way_round_given(request)
            )
        return request
    header = opened["image"].header
    with name_argument_in_errors("mask"):
        mask = await draw_area(request, (header.width, header.height), base_mask, context.services.image_workers)
    update: dict[str, Any] = {
        "mask": f"data:image/png;base64,{base64.b64encode(mask).decode()}",
        # Drawn already; left in, they would be drawn once more.
        "shapes": (),
        "invert": False,
    }
    # Only if the caller did not say: shapes tell how they mark, a mask picture does not.
    if request.shapes and "mark" in type(request).model_fields and "mark" not in request.model_fields_set:
        update["mark"] = choose_mark(request.shapes)
    drawn = request.model_copy(update=update)
    if not is_way_round_given(request):
        # The copy's own invert is not the caller's word: who never gave it is still asked whether the rest was meant.
        drawn.model_fields_set.discard("invert")
    return drawn


class MarkedArea(Protocol):
    """Arguments that mark an area of a picture."""

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """What adds to the mask, or takes from it."""
        ...

    @property
    def invert(self) -> bool:
        """Whether marked and unmarked are exchanged in the end."""
        ...

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the arguments that were given."""
        ...


def is_way_round_given(area: MarkedArea) -> bool:
    """True when the caller has said which part is meant, whatever it said."""
    return "invert" in area.model_fields_set


async def draw_area(
    area: MarkedArea, size: tuple[int, int], base_mask: bytes | None, workers: ImageWorkers, *, growth: int = 0
) -> bytes:
    """The area as a PNG mask of this size, wider by ``growth`` pixels before it is inverted.

    Raises ``InvalidRequest`` for one that marks nothing or nearly everything, or takes too long to draw.
    """
    from atelier_mcp.server.images.masks import draw_checked_mask

    return await workers.run(
        draw_checked_mask,
        *size,
        build_mask_shapes(area.shapes, size),
        base_mask=base_mask,
        growth=growth,
        inverts=area.invert,
        is_deliberate=is_way_round_given(area),
        where="shapes" if area.shapes else "mask",
    )


def choose_mark(shapes: Sequence[Shape]) -> str:
    """What kind of mark the shapes are to a service: boxes and rings go around a subject, the rest lies on it."""
    kinds = {shape.type for shape in shapes}
    if kinds == {"box"}:
        return "box"
    # A mixture is a smear: some of it lies on the subject.
    return "circle" if kinds == {"ellipse"} else "smear"


def build_mask_shapes(shapes: Sequence[Shape], size: tuple[int, int]) -> tuple[MaskShape, ...]:
    """The shapes of a request as the images package draws them, in pixels of a picture of ``size``."""
    from atelier_mcp.server.images.shapes import MaskShape

    return tuple(
        MaskShape(shape.type, _to_pixels(shape, size), shape.width, subtracts=shape.subtract) for shape in shapes
    )


def _to_pixels(shape: Shape, size: tuple[int, int]) -> tuple[int, ...]:
    if shape.unit == "px":
        return shape.points
    # x and y in turn: the former in thousandths of the width.
    return tuple(round(point * size[index % 2] / PERMILLE) for index, point in enumerate(shape.points))
