"""Files put in and fetched (contract: upload.image, upload.mask, view)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from atelier_mcp.server.emulator.comfyui import raster
from atelier_mcp.server.emulator.comfyui.errors import ComfyuiHttpError, build_error_body
from atelier_mcp.server.emulator.settings import MEBIBYTE
from atelier_mcp.server.emulator.sources import SourceError, SourceRule

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from atelier_mcp.server.emulator.comfyui.calls import ComfyuiCall, ComfyuiRow

MOST_BYTES: Final = 100 * MEBIBYTE
ANY_IMAGE: Final = SourceRule(
    min_side_px=1, max_side_px=20_000, formats=frozenset({"JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"})
)
MEDIA_TYPES: Final = {b"\x89PNG": "image/png", b"RIFF": "image/webp", b"\xff\xd8\xff\xe0": "image/jpeg"}
PREVIEW_QUALITY: Final = 90


def build_rows() -> list[ComfyuiRow]:
    """The calls."""
    return [
        ("POST", "/upload/image", upload_image),
        ("POST", "/upload/mask", upload_mask),
        ("GET", "/view", view),
    ]


async def upload_image(call: ComfyuiCall) -> Response:
    """Keep a file."""
    async with call.request.form() as form:
        data, name = await _read_file(call, form)
        return await _store(call, form, name, data)


async def upload_mask(call: ComfyuiCall) -> Response:
    """Keep a stored picture with the transparency of the mask that came."""
    async with call.request.form() as form:
        mask, name = await _read_file(call, form)
        try:
            original: dict[str, Any] = json.loads(str(form.get("original_ref") or ""))
            folder, subfolder = original.get("type") or "output", original.get("subfolder") or ""
            place = str(folder), str(subfolder), str(original["filename"])
        except (ValueError, KeyError, AttributeError):
            raise ComfyuiHttpError(400, build_error_body(400)) from None
        image = await asyncio.to_thread(call.state.files.read, *place)
        return await _store(call, form, name, await asyncio.to_thread(raster.put_alpha, image, mask))


async def view(call: ComfyuiCall) -> Response:
    """A file's bytes, or a preview or some channels of it."""
    query = call.request.query_params
    place = query.get("type", "output"), query.get("subfolder", ""), query.get("filename", "")
    if not place[-1]:
        raise ComfyuiHttpError(400, build_error_body(400))
    data = await asyncio.to_thread(call.state.files.read, *place)
    if preview := query.get("preview"):
        name, _, quality = preview.partition(";")
        file_format = "webp" if name == "webp" else "jpeg"
        number = int(quality) if quality.isdigit() else PREVIEW_QUALITY
        data = await asyncio.to_thread(raster.encode_preview, data, file_format, number)
        return Response(data, media_type=f"image/{file_format}")
    if (channel := query.get("channel", "rgba")) in ("rgb", "a"):
        data = await asyncio.to_thread(raster.keep_channels, data, channel)
    headers = {"Content-Disposition": f'filename="{place[-1]}"'}
    return Response(data, media_type=MEDIA_TYPES.get(data[:4], "application/octet-stream"), headers=headers)


async def _read_file(call: ComfyuiCall, form: FormData) -> tuple[bytes, str]:
    part = form.get("image")
    if not isinstance(part, UploadFile) or not part.filename:
        raise ComfyuiHttpError(400, build_error_body(400))
    data = await part.read()
    if len(data) > MOST_BYTES:
        raise ComfyuiHttpError(413, build_error_body(413))
    try:
        # The service keeps whatever comes; a file that is no picture is refused here, before a workflow meets it.
        await call.state.emulator.sources.check(data, ANY_IMAGE, most_bytes=MOST_BYTES)
    except SourceError:
        raise ComfyuiHttpError(400, build_error_body(400)) from None
    return data, part.filename


async def _store(call: ComfyuiCall, form: FormData, name: str, data: bytes) -> Response:
    folder, subfolder = str(form.get("type") or "input"), str(form.get("subfolder") or "")
    overwrite = str(form.get("overwrite") or "") in ("true", "1")
    stored = await asyncio.to_thread(call.state.files.write, folder, subfolder, name, data, overwrite=overwrite)
    return JSONResponse({"name": stored, "subfolder": subfolder, "type": folder})
