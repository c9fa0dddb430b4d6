"""What an answer says of the pictures that a request works with: what was changed, and how much a mask marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.images.masks import format_marked_share
from atelier_mcp.server.images.provenance import DrawnMask
from atelier_mcp.server.jobs.transparency import list_transparency_notes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.admission import AdmittedImage
    from atelier_mcp.server.images.opening import OpenedImage
    from atelier_mcp.server.requests.base import Request


async def list_image_notes(
    request: Request,
    final_request: Request,
    opened_images: Mapping[str, OpenedImage],
    admitted_images: Mapping[str, AdmittedImage],
) -> tuple[str, ...]:
    """The notes on all pictures of a request, which as it will be sent is the ``final_request``."""
    return (
        *(note for image in admitted_images.values() for note in image.notes),
        *list_transparency_notes(final_request, admitted_images),
        *await _list_mask_notes(request, opened_images, admitted_images),
    )


async def _list_mask_notes(
    request: Request, opened_images: Mapping[str, OpenedImage], admitted_images: Mapping[str, AdmittedImage]
) -> list[str]:
    """A line for each mask, with its handle where it has come by one only now."""
    notes: list[str] = []
    for place, image in admitted_images.items():
        if image.marked_share is None:
            continue
        opened_image = opened_images[place]
        # Whoever said which way round it is, also when the mask was made, is not asked.
        is_deliberate = "invert" in request.model_fields_set or await _is_inverted(opened_image)
        marked = format_marked_share(image.marked_share, is_deliberate=is_deliberate)
        handle = "" if opened_image.handle else f" It is kept as {image.original or image.handle}."
        notes.append(f"{place}: {marked}{handle}")
    return notes


async def _is_inverted(image: OpenedImage) -> bool:
    """True for a mask that make_mask turned round."""
    if image.handle is None or image.store is None:
        return False
    stored = await image.store.find(image.handle)
    return isinstance(stored.provenance, DrawnMask) and stored.provenance.is_inverted
