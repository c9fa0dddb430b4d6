"""Take a picture into the library."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import Picture
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._pictures import PictureResult
from atelier_mcp.tools._results import Shown, image_result, show


class Arguments(BaseModel):
    """The arguments of ``import_image``."""

    model_config = ConfigDict(extra="forbid")

    image: Picture = Field(description="Link, path or data URL")


@tool(toolset="library", read_only=False, destructive=False, idempotent=True)
async def import_image(arguments: Arguments, studio: Studio) -> PictureResult:
    """Take a picture into the library and return its handle, which every tool accepts. Free."""
    from atelier_mcp.server.providers.base import ImageRule

    any_picture = ImageRule(min_side_px=1, max_side_px=40_000, max_bytes=50_000_000)
    rooms = studio.rooms
    opened = await rooms.pictures.open({"image": arguments.image})
    admitted = await rooms.pictures.admit(opened, {"image": any_picture}, now=rooms.clock.now())
    stored = await rooms.images.find(admitted["image"].handle)
    answer = PictureResult(image=image_result(stored), notes=[*admitted["image"].notes])
    await show(answer, [Shown(stored)], rooms)
    return answer
