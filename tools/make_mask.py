"""Mark a part of a picture."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Self

import mcp_types as types
from pydantic import BaseModel, ConfigDict, Field, model_validator

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import Picture
from atelier_mcp.server.requests.edit import Shape
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._masking import about
from atelier_mcp.tools._pictures import PictureResult
from atelier_mcp.tools._results import PREVIEW_BYTES, image_result

if TYPE_CHECKING:
    from atelier_mcp.server.images.probe import Header


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
    rooms = studio.rooms
    wanted = {"image": arguments.image, **({"mask": arguments.mask} if arguments.mask else {})}
    opened = await rooms.pictures.open(wanted)
    start = await opened["mask"].read() if "mask" in opened else None
    mask = await asyncio.to_thread(_drawn, arguments, opened["image"].header, start)
    with about("image"):
        shown = await asyncio.to_thread(
            _shown, await opened["image"].read(), mask, longest_px=rooms.settings.preview_px
        )
    stored = await rooms.images.keep(mask, made={"tool": "make_mask"}, now=rooms.clock.now())
    answer = PictureResult(image=image_result(stored), notes=[await asyncio.to_thread(_told, mask)])
    answer.blocks.append(
        types.ImageContent(type="image", data=base64.b64encode(shown).decode(), mime_type="image/jpeg")
    )
    return answer


def _drawn(arguments: Arguments, header: Header, start: bytes | None) -> bytes:
    from atelier_mcp.server.images import masks

    with about("mask"):
        mask = masks.drawn(header.width, header.height, arguments.shapes, on=start)
    if arguments.invert:
        mask = masks.inverted(mask)
    masks.check(mask, "shapes" if arguments.shapes else "mask")
    return mask


def _shown(picture: bytes, mask: bytes, *, longest_px: int) -> bytes:
    from atelier_mcp.server.images import masks, preview

    tinted = masks.tinted(picture, mask, longest_px=longest_px)
    return preview.encoded([tinted], longest_px=longest_px, budget_bytes=PREVIEW_BYTES)[0]


def _told(mask: bytes) -> str:
    from atelier_mcp.server.images import masks

    return f"{100 * masks.share(mask):.2g} % of the picture is marked."
