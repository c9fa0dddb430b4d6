"""upload_img and upload_imgs: pictures taken in, links given out (contract: upload_img, upload_imgs)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.datastructures import UploadFile

from atelier_mcp.server.emulator.miaohua.calls import admit
from atelier_mcp.server.emulator.miaohua.errors import (
    NO_TOKEN,
    REJECTED,
    MiaohuaApiResponse,
    MiaohuaHttpError,
    invalid_parameter,
)
from atelier_mcp.server.emulator.settings import MEBIBYTE
from atelier_mcp.server.emulator.sources import SourceError, SourceRule

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.miaohua.calls import MiaohuaState

PART: Final = "init_img"
MOST_FILES: Final = 50
LARGEST_BYTES: Final = 5 * MEBIBYTE
RULE: Final = SourceRule(min_side_px=256, max_side_px=6144)
SUFFIXES: Final = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
INVALID_IMAGE: Final = "invalid image"


class UploadHandlers:
    """Takes pictures in for the accounts of an emulator."""

    def __init__(self, state: MiaohuaState) -> None:
        """Keep them in the emulator's store."""
        self._state = state

    async def upload_one(self, request: Request) -> MiaohuaApiResponse:
        """Exactly one picture."""
        return await self._store_uploads(request, most=1)

    async def upload_many(self, request: Request) -> MiaohuaApiResponse:
        """Up to fifty, kept all or none, their links in order."""
        return await self._store_uploads(request, most=MOST_FILES)

    async def _store_uploads(self, request: Request, *, most: int) -> MiaohuaApiResponse:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise MiaohuaHttpError(415, "an upload is multipart/form-data", status=415)
        async with request.form(max_files=MOST_FILES + 1) as form:
            await admit(self._state, request, _read_token(request, form.get("token")))
            parts = [part for part in form.getlist(PART) if isinstance(part, UploadFile)]
            if not 1 <= len(parts) <= most:
                raise invalid_parameter(f"{len(parts)} parts are named {PART}, from 1 to {most} are allowed")
            images = [await part.read() for part in parts]
            formats = [await self._detect_format(data) for data in images]
        return MiaohuaApiResponse(
            [await self._store_image(*upload, request) for upload in zip(images, formats, strict=True)]
        )

    async def _detect_format(self, data: bytes) -> str:
        """The format of a good picture, known by its bytes (upload_img.upload_limits)."""
        try:
            return (await self._state.emulator.sources.check(data, RULE, most_bytes=LARGEST_BYTES)).format
        except SourceError as err:
            raise MiaohuaHttpError(REJECTED, INVALID_IMAGE) from err

    async def _store_image(self, data: bytes, file_format: str, request: Request) -> str:
        """The link of a picture kept as it came: a result of ours with its mark."""
        from atelier_mcp.server.emulator.links import get_origin

        emulator = self._state.emulator
        suffix, now = SUFFIXES[file_format], emulator.clock.now()
        name = await asyncio.to_thread(emulator.store.store_image, data, suffix, now=now)
        return emulator.links.create_link(
            f"pictures/{name}", origin=get_origin(request), seconds=emulator.settings.link_seconds
        )


def _read_token(request: Request, part: object) -> str:
    """From the header, or from the older part; the header wins (upload_img.upload_auth)."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if isinstance(part, str) and part:
        return part
    raise MiaohuaHttpError(NO_TOKEN)
