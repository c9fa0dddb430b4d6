"""Which edits keep their source's format, and give their results its transparency back: the service saw it on white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.images.admission import FLATTENED_NOTE
from atelier_mcp.server.images.transparency import TransparentEdit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.admission import AdmittedImage
    from atelier_mcp.server.images.opening import OpenedImage
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.requests.base import Request

SHAPE_KEEPING_CAPABILITIES: Final = frozenset(
    {"upscale_image", "erase_object", "inpaint_image", "stylize_image", "swap_faces"}
)
"""Their results lie over their source point by point, at whatever size."""
EDIT_CAPABILITIES: Final = SHAPE_KEEPING_CAPABILITIES | {"outpaint_image"}
RESTORED_NOTE: Final = "the result has it back, and is a PNG for that"


def needs_png(request: Request, opened_images: Mapping[str, OpenedImage]) -> bool:
    """Whether an edit whose caller names no format should give a PNG.

    Its source is one, or a JPEG would spoil what becomes transparent again.
    """
    source = opened_images.get("image")
    if source is None or request.capability not in EDIT_CAPABILITIES or "format" in request.model_fields_set:
        return False
    is_transparent = source.header.has_alpha and request.capability in SHAPE_KEEPING_CAPABILITIES
    return source.header.format == "PNG" or is_transparent


def list_transparency_notes(request: Request, admitted_images: Mapping[str, AdmittedImage]) -> tuple[str, ...]:
    """What becomes of the transparency that was laid on white, for the reader."""
    source = admitted_images.get("image")
    is_restored = _can_restore(request.capability, request.to_document())
    return (RESTORED_NOTE,) if is_restored and source and FLATTENED_NOTE in source.notes else ()


def find_transparent_edit(job: Job) -> TransparentEdit | None:
    """The edit that a job is, where its results lie over its source."""
    image, mask = job.request.get("image"), job.request.get("mask")
    if not _can_restore(job.capability, job.request) or not isinstance(image, str):
        return None
    return TransparentEdit(
        image, mask=mask if isinstance(mask, str) else None, is_erasure=job.capability == "erase_object"
    )


def _can_restore(capability: str, request: Mapping[str, Any]) -> bool:
    """A JPEG that was asked for in so many words stays one."""
    return capability in SHAPE_KEEPING_CAPABILITIES and request.get("format") == "png"
