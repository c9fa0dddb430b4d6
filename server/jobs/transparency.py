"""Which jobs give their results the transparency of their source back, since the service has seen it on white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
RESTORED_NOTE: Final = "the result has it back, and is a PNG for that"


def needs_png(request: Request, opened_images: Mapping[str, OpenedImage]) -> bool:
    """Whether the result should be a PNG, since a JPEG would spoil what becomes transparent again."""
    source = opened_images.get("image")
    if request.capability not in SHAPE_KEEPING_CAPABILITIES or source is None or not source.header.has_alpha:
        return False
    return "format" in type(request).model_fields


def list_transparency_notes(request: Request, admitted_images: Mapping[str, AdmittedImage]) -> tuple[str, ...]:
    """What becomes of the transparency that was laid on white, for the reader."""
    source = admitted_images.get("image")
    is_restored = request.capability in SHAPE_KEEPING_CAPABILITIES and source and FLATTENED_NOTE in source.notes
    return (RESTORED_NOTE,) if is_restored else ()


def find_transparent_edit(job: Job) -> TransparentEdit | None:
    """The edit that a job is, where its results lie over its source."""
    image, mask = job.request.get("image"), job.request.get("mask")
    if job.capability not in SHAPE_KEEPING_CAPABILITIES or not isinstance(image, str):
        return None
    return TransparentEdit(
        image, mask=mask if isinstance(mask, str) else None, is_erasure=job.capability == "erase_object"
    )
