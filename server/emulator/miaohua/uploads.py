"""upload_img and upload_imgs: pictures taken in, links given out (contract: upload_img, upload_imgs)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.datastructures import UploadFile

from atelier_mcp.server.emulator.links import get_origin
from atelier_mcp.server.emulator.miaohua.auth import read_token
from atelier_mcp.server.emulator.miaohua.calls import MiaohuaApiResponse
from atelier_mcp.server.emulator.miaohua.errors import (
    REJECTED,
    MiaohuaHttpError,
    invalid_parameter,
)
from atelier_mcp.server.emulator.miaohua.switches import MiaohuaSwitches
from atelier_mcp.server.emulator.settings import MEBIBYTE
from atelier_mcp.server.emulator.sources import SourceError, SourceRule

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.miaohua.calls import MiaohuaState, OpenRow

PART: Final = "init_img"
MOST_FILES: Final = 50
LARGEST_BYTES: Final = 5 * MEBIBYTE
RULE: Final = SourceRule(min_side_px=256, max_side_px=6144)
SUFFIXES: Final = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
INVALID_IMAGE: Final = "invalid image"


def build_open_rows() -> list[OpenRow]:
    """Both calls; their token comes in the header or in a part of the form."""
    return [("POST", "/upload_img", upload_one), ("POST", "/upload_imgs", upload_many)]


async def upload_one(state: MiaohuaState, request: Request) -> MiaohuaApiResponse:
    """Exactly one picture."""
    return await _store_uploads(state, request, most=1)


async def upload_many(state: MiaohuaState, request: Request) -> MiaohuaApiResponse:
    """Up to fifty, kept all or none, their links in order."""
    return await _store_uploads(state, request, most=MOST_FILES)


async def _store_uploads(state: MiaohuaState, request: Request, *, most: int) -> MiaohuaApiResponse:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise MiaohuaHttpError(415, "an upload is multipart/form-data", status=415)
    # Two more than are allowed, so that one too many is refused in the service's words.
    async with request.form(max_files=MOST_FILES + 2) as form:
        takes_header = not state.emulator.settings.get_switches(MiaohuaSwitches).token_in_files
        await state.tokens.admit(request, await read_token(request, form.get("token"), takes_header=takes_header))
        parts = [part for part in form.getlist(PART) if isinstance(part, UploadFile)]
        if not 1 <= len(parts) <= most:
            raise invalid_parameter(f"{len(parts)} parts are named {PART}, from 1 to {most} are allowed")
        # All or none, in the order sent (upload_imgs.batch_size, upload_imgs.partial_failure).
        images = [await part.read() for part in parts]
        # All are looked at before one is kept.
        formats = [await _detect_format(state, data) for data in images]
    origin = get_origin(request)
    return MiaohuaApiResponse(
        [await _store_image(state, *upload, origin=origin) for upload in zip(images, formats, strict=True)]
    )


async def _detect_format(state: MiaohuaState, data: bytes) -> str:
    """The format of a good picture, known by its bytes (upload_img.upload_limits)."""
    try:
        return (await state.emulator.sources.check(data, RULE, most_bytes=LARGEST_BYTES)).format
    except SourceError as err:
        raise MiaohuaHttpError(REJECTED, INVALID_IMAGE) from err


async def _store_image(state: MiaohuaState, data: bytes, file_format: str, *, origin: str) -> str:
    """The link of a picture kept as it came: a result of ours with its mark."""
    emulator = state.emulator
    suffix, now = SUFFIXES[file_format], emulator.clock.now()
    name = await asyncio.to_thread(emulator.store.store_image, data, suffix, now=now)
    return emulator.links.create_link(f"pictures/{name}", origin=origin, seconds=emulator.settings.link_seconds)
