"""The area a tool works on: a mask picture, or shapes that become one."""

from __future__ import annotations

import asyncio
import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from atelier_mcp.server.errors import ImageRefused

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from atelier_mcp.server.requests.edit import Masked, Shape
    from atelier_mcp.server.studio import Studio

M = TypeVar("M", bound="Masked")


async def with_mask(arguments: M, studio: Studio) -> M:
    """The same arguments with the shapes drawn into a mask, and the mask looked at before anything is spent.

    Nothing is stored yet: a drawn mask travels as a data URL until the whole request is known to be good.
    """
    from atelier_mcp.server.images import masks

    pictures = studio.rooms.pictures
    if not arguments.shapes:
        opened = await pictures.open({"mask": arguments.mask or ""})
        with about("mask"):
            await asyncio.to_thread(masks.check, await opened["mask"].read(), "mask")
        return arguments
    header = (await pictures.open({"image": arguments.image}))["image"].header
    mask = await asyncio.to_thread(_drawn, header.width, header.height, arguments.shapes)
    update: dict[str, Any] = {"mask": mask, "shapes": ()}
    if "mark" in type(arguments).model_fields and "mark" not in arguments.model_fields_set:
        update["mark"] = mark_of(arguments.shapes)
    return arguments.model_copy(update=update)


@contextmanager
def about(argument: str) -> Generator[None]:
    """Let the refusal of a picture begin with the argument that named it."""
    try:
        yield
    except ImageRefused as err:
        err.what = f"{argument}: {err.what}"
        raise


def mark_of(shapes: Sequence[Shape]) -> str:
    """What kind of mark the shapes are to a service: boxes and rings go around a subject, the rest lies on it."""
    kinds = {shape.type for shape in shapes}
    if kinds == {"box"}:
        return "box"
    return "circle" if kinds == {"ellipse"} else "smear"


def _drawn(width: int, height: int, shapes: Sequence[Shape]) -> str:
    from atelier_mcp.server.images import masks

    mask = masks.drawn(width, height, shapes)
    masks.check(mask, "shapes")
    return f"data:image/png;base64,{base64.b64encode(mask).decode()}"
