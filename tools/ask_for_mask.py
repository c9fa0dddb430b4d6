"""Let a person mark a part of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from atelier_mcp.server.job_result import ImageResult, PreviewImage, add_previews, build_image_result, format_image_line
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.base import ImageReference, ToolArguments
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.server.tool_result import ToolResult
from atelier_mcp.tools._library_image import take_in

if TYPE_CHECKING:
    from datetime import timedelta


class AskForMaskArguments(ToolArguments):
    """The arguments of ``ask_for_mask``."""

    image: ImageReference = Field(description="Picture")
    why: str = Field(max_length=300, description="What to mark, for the user")


class MaskRequestResult(ToolResult):
    """A picture that a person is asked to mark, and the newest mask of it."""

    shows_images: ClassVar[bool] = True

    image: ImageResult
    mask: ImageResult | None = None
    notes: list[str] = Field(default_factory=list[str])

    def format_text(self) -> str:
        """The mask first, where there is one: its handle is what the next call takes."""
        mask_lines = [format_image_line(self.mask)] if self.mask else []
        return "\n".join([*mask_lines, *self.notes])


@tool(toolset="hands", read_only=True, destructive=False, idempotent=True, open_world=False, opens_studio=True)
async def ask_for_mask(arguments: AskForMaskArguments, context: ToolContext) -> MaskRequestResult:
    """Ask the user to paint a mask; call it again to get it. Free."""
    services = context.services
    image, notes = await take_in(arguments.image, context)
    mask = await services.image_store.find_newest_mask(image)
    result = MaskRequestResult(image=build_image_result(image, services), notes=notes)
    if mask is None:
        result.notes.append(
            f"{image.handle} has no mask yet. If a painter opened, the user marks it there: wait for them, then call "
            "ask_for_mask again. Else draw it yourself with make_mask."
        )
        result.notes += await add_previews(result, [PreviewImage(image)], services)
        return result
    result.mask = build_image_result(mask, services, label="mask")
    age = _format_age(services.clock.now() - mask.created_at)
    result.notes.append(f"The newest mask of {image.handle}, drawn {age} ago, shown in red. Give it on as mask.")
    result.notes += await add_previews(result, [PreviewImage(mask, background=image)], services)
    return result


def _format_age(age: timedelta) -> str:
    from atelier_mcp.server.jobs.timing import format_duration

    return format_duration(age.total_seconds())
