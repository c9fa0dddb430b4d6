"""Pictures that a graph begins with: uploaded under the hash of their bytes, so that the same one is there once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.images.probe import probe
from atelier_mcp.server.providers.comfyui.graph import FOLDER
from atelier_mcp.server.providers.http_messages import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.providers.comfyui.session import ComfyuiSession

SOURCE_RULE: Final = ImageRule(
    min_side_px=64, max_side_px=8192, max_bytes=50_000_000, deliveries=(DeliveryMethod.BASE64,)
)
"""Uploads end at 100 MB (contract: conventions.upload_limit_mb); what a graphics card takes ends before."""
MEDIA_TYPES: Final = {b"\x89PNG": ("png", "image/png"), b"RIFF": ("webp", "image/webp")}
UPLOAD_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """A picture that is at ComfyUI."""

    name: str
    """What ``LoadImage`` calls it."""
    size: Size


async def upload_all(session: ComfyuiSession, images: Mapping[str, str]) -> dict[str, UploadedImage]:
    """The pictures once they are there, by place; ``images`` holds them as base64."""
    return {place: await _upload(session, base64.b64decode(image)) for place, image in images.items()}


async def _upload(session: ComfyuiSession, data: bytes) -> UploadedImage:
    """By the answered name, which counts (contract: upload.image)."""
    header = await asyncio.to_thread(probe, data)
    ending, media_type = MEDIA_TYPES.get(data[:4], ("jpg", "image/jpeg"))
    name = f"{hashlib.sha256(data).hexdigest()[:32]}.{ending}"
    http_request = HttpRequest(
        "POST",
        "/upload/image",
        form={"overwrite": "true", "subfolder": FOLDER, "type": "input"},
        files={"image": (name, data, media_type)},
        read_timeout_s=UPLOAD_TIMEOUT_S,
    )
    match await session.send(http_request):
        case {"name": str(stored_name), **rest}:
            path = "/".join(part for part in (str(rest.get("subfolder") or ""), stored_name) if part)
            return UploadedImage(path, (header.width, header.height))
        case _:
            raise session.client.build_unreadable_error(http_request)
