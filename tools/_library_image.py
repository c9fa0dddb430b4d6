"""One stored picture as an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr

from atelier_mcp.server.job_result import ImageResult, format_image_line, format_mark
from atelier_mcp.server.tool_result import ToolResult

if TYPE_CHECKING:
    from atelier_mcp.server.images.opening import OpenedImage
    from atelier_mcp.server.images.provenance import Provenance
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.services import Services
    from atelier_mcp.server.tool_context import ToolContext


class LibraryImageResult(ToolResult):
    """A picture in the library."""

    shows_images: ClassVar[bool] = True

    image: ImageResult
    made: dict[str, Any] | None = None
    notes: list[str] = Field(default_factory=list[str])

    # Private, so that they are no part of the structured content, which has the same facts as data.
    _provenance_lines: list[str] = PrivateAttr(default_factory=list[str])

    def format_text(self) -> str:
        """Handle, size and file; how it was made, where that is known."""
        return "\n".join([self._format_headline(), *self.notes, *self._provenance_lines])

    def add_story(self, stored: StoredImage, services: Services) -> None:
        """Say when and how the picture came to be, to programs and to a reader."""
        from atelier_mcp.server.images.provenance import hide_folders
        from atelier_mcp.tools._image_story import build_provenance_facts, format_provenance

        provenance = hide_folders(stored.provenance) if services.principal.image_url else stored.provenance

        self.made = {"created_at": f"{stored.created_at:%Y-%m-%d %H:%M:%S} UTC"}
        self.made |= build_provenance_facts(provenance) or {}
        self.made["edits_are_free"] = services.router.is_free
        self._provenance_lines = format_provenance(provenance, created_at=stored.created_at)
        self._provenance_lines += _describe_mark(provenance, services)

    def _format_headline(self) -> str:
        if self.image.handle:
            return format_image_line(self.image)
        size = f"{self.image.width}x{self.image.height}"
        return f"{self.image.path}  {size}, not in the library: tools take it so, and import_image gives it a handle."


def _describe_mark(provenance: Provenance, services: Services) -> list[str]:
    """The visible mark on a picture that a service made."""
    from atelier_mcp.server.images.provenance import Generated

    if not isinstance(provenance, Generated):
        return []
    note = format_mark(provenance.provider, provenance.capability, services)
    return [note] * bool(note)


async def take_in(reference: str, context: ToolContext) -> tuple[StoredImage, list[str]]:
    """The stored picture of any reference, and what was changed to store it. Raises any ``ImageRefused``."""
    from atelier_mcp.server.images.exchange import ImageRule

    # The widest rule there is: what a service needs is for the tool that sends it to see to.
    any_image = ImageRule(min_side_px=1, max_side_px=40_000, max_bytes=50_000_000, keeps_transparency=True)
    services = context.services
    # open and admit are the same steps as for a job's pictures, so that links and paths are held to the same limits.
    opened_images = await services.image_pipeline.open({"image": reference})
    admitted_images = await services.image_pipeline.admit(opened_images, {"image": any_image}, now=services.clock.now())
    admitted = admitted_images["image"]
    return await services.image_store.find(admitted.handle), [*admitted.notes]


def build_unstored_result(opened: OpenedImage) -> LibraryImageResult:
    """The answer for a picture that is not in the library; its ``path`` says where it is."""
    header = opened.header
    return LibraryImageResult(
        image=ImageResult(handle="", path=opened.source, width=header.width, height=header.height)
    )
