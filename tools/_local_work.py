"""What tools share that make a picture here, of others, without a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.job_result import PreviewImage, add_previews, build_image_result
from atelier_mcp.tools._library_image import LibraryImageResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.images.opening import OpenedImage
    from atelier_mcp.server.tool_context import ToolContext


async def store_result(
    data: bytes, context: ToolContext, *, operation: str, sources: Sequence[OpenedImage], changes: Sequence[str]
) -> LibraryImageResult:
    """Store what was made of ``sources``, show it, and say in one line what was done."""
    from atelier_mcp.server.images.provenance import Derived

    services = context.services
    # One picture can be in several layers.
    parents = tuple(dict.fromkeys(source.source for source in sources))
    provenance = Derived(parents=parents, operation=operation, changes=tuple(changes))
    stored = await services.image_store.save(data, provenance=provenance, now=services.clock.now())
    line = "; ".join(changes)
    result = LibraryImageResult(image=build_image_result(stored, services), notes=[f"{line[0].upper()}{line[1:]}."])
    result.notes += await add_previews(result, [PreviewImage(stored)], services)
    return result
