"""The area a tool works on: a mask picture, or shapes that become one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier.server.images.store import StoredImage
    from atelier.server.requests.edit import Masked, Shape
    from atelier.server.studio import Rooms, Studio

M = TypeVar("M", bound="Masked")


async def with_mask(arguments: M, studio: Studio) -> M:
    """The same arguments with the shapes drawn into a mask, and the mask looked at before anything is spent."""
    from atelier.server.images import masks

    rooms = studio.rooms
    if arguments.shapes:
        mask = await shapes_drawn(arguments.image, arguments.shapes, rooms)
        update: dict[str, Any] = {"mask": mask.handle, "shapes": ()}
        if "mark" in type(arguments).model_fields and "mark" not in arguments.model_fields_set:
            update["mark"] = mark_of(arguments.shapes)
        return arguments.model_copy(update=update)
    opened = await rooms.pictures.open({"mask": arguments.mask or ""})
    await asyncio.to_thread(masks.check, await opened["mask"].read(), "mask")
    return arguments


def mark_of(shapes: Sequence[Shape]) -> str:
    """What kind of mark the shapes are to a service: boxes and rings go around a subject, the rest lies on it."""
    kinds = {shape.type for shape in shapes}
    if kinds == {"box"}:
        return "box"
    return "circle" if kinds == {"ellipse"} else "smear"


async def shapes_drawn(image: str, shapes: Sequence[Shape], rooms: Rooms, *, on: bytes | None = None) -> StoredImage:
    """The shapes as a stored mask of the picture's size."""
    from atelier.server.images import masks

    header = (await rooms.pictures.open({"image": image}))["image"].header
    mask = await asyncio.to_thread(masks.drawn, header.width, header.height, shapes, on=on)
    await asyncio.to_thread(masks.check, mask, "shapes")
    made = {"tool": "make_mask", "image": image if len(image) < 100 else "", "shapes": [s.model_dump() for s in shapes]}
    return await rooms.images.keep(mask, made=made, now=rooms.clock.now())
