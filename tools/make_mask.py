"""Mark a part of a picture."""

from __future__ import annotations

import asyncio
import base64
from typing import Self

import mcp_types as types
from pydantic import BaseModel, ConfigDict, Field, model_validator

from atelier.server.registry import tool
from atelier.server.requests.base import Picture
from atelier.server.requests.edit import Shape
from atelier.server.studio import Studio
from atelier.tools._pictures import PictureResult
from atelier.tools._results import image_result


class Arguments(BaseModel):
    """The arguments of ``make_mask``."""

    model_config = ConfigDict(extra="forbid")

    image: Picture = Field(description="Picture to mark")
    shapes: tuple[Shape, ...] = Field((), max_length=64, description="Where to work")
    mask: Picture | None = Field(None, description="Mask to start from")
    invert: bool = Field(False, description="Exchange marked and unmarked at the end")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.shapes and self.mask is None:
            raise ValueError("give shapes, a mask to start from, or both")
        return self


@tool(toolset="library", read_only=False, destructive=False, idempotent=True, open_world=False)
async def make_mask(arguments: Arguments, studio: Studio) -> PictureResult:
    """Draw a mask over a picture (black: where to work) and show it in red on the picture. Free."""
    from atelier.server.images import masks

    rooms = studio.rooms
    wanted = {"image": arguments.image, **({"mask": arguments.mask} if arguments.mask else {})}
    opened = await rooms.pictures.open(wanted)

    picture, header = await opened["image"].read(), opened["image"].header
    start = await opened["mask"].read() if "mask" in opened else None

    def draw() -> tuple[bytes, bytes]:
        mask = masks.drawn(header.width, header.height, arguments.shapes, on=start)
        if arguments.invert:
            mask = masks.inverted(mask)
        masks.check(mask, "mask")
        return mask, masks.overlay(picture, mask, longest_px=rooms.settings.preview_px)

    mask, shown = await asyncio.to_thread(draw)
    stored = await rooms.images.keep(mask, made={"tool": "make_mask"}, now=rooms.clock.now())
    answer = PictureResult(image=image_result(stored))
    answer.blocks.append(
        types.ImageContent(type="image", data=base64.b64encode(shown).decode(), mime_type="image/jpeg")
    )
    return answer
