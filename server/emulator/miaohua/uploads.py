"""upload_img and upload_imgs: pictures taken in, links given out (contract: upload_img, upload_imgs)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.datastructures import UploadFile

from atelier_mcp.server.emulator.miaohua.answers import NO_TOKEN, REJECTED, Refused, Reply, illegal
from atelier_mcp.server.emulator.miaohua.calls import admitted
from atelier_mcp.server.emulator.settings import MEBIBYTE
from atelier_mcp.server.emulator.sources import SourceRefused, SourceRule

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.miaohua.calls import Desk

PART: Final = "init_img"
MOST_FILES: Final = 50
LARGEST_BYTES: Final = 5 * MEBIBYTE
RULE: Final = SourceRule(min_side_px=256, max_side_px=6144)
SUFFIXES: Final = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
INVALID_IMAGE: Final = "invalid image"


class Uploads:
    """Takes pictures in for the accounts of a desk."""

    def __init__(self, desk: Desk) -> None:
        """Keep them in the desk's world."""
        self._desk = desk

    async def one(self, request: Request) -> Reply:
        """Exactly one picture."""
        return await self._taken(request, most=1)

    async def many(self, request: Request) -> Reply:
        """Up to fifty, kept all or none, their links in order."""
        return await self._taken(request, most=MOST_FILES)

    async def _taken(self, request: Request, *, most: int) -> Reply:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refused(415, "an upload is multipart/form-data", status=415)
        async with request.form(max_files=MOST_FILES + 1) as form:
            await admitted(self._desk, request, _token(request, form.get("token")))
            parts = [part for part in form.getlist(PART) if isinstance(part, UploadFile)]
            if not 1 <= len(parts) <= most:
                raise illegal(f"{len(parts)} parts are named {PART}, from 1 to {most} are allowed")
            pictures = [await part.read() for part in parts]
            formats = [await self._format(data) for data in pictures]
        return Reply([await self._kept(*taken, request) for taken in zip(pictures, formats, strict=True)])

    async def _format(self, data: bytes) -> str:
        """The format of a good picture, known by its bytes (upload_img.upload_limits)."""
        try:
            return (await self._desk.world.sources.check(data, RULE, most_bytes=LARGEST_BYTES)).format
        except SourceRefused as err:
            raise Refused(REJECTED, INVALID_IMAGE) from err

    async def _kept(self, data: bytes, file_format: str, request: Request) -> str:
        """The link of a picture kept as it came: a result of ours with its mark."""
        from atelier_mcp.server.emulator.links import origin_of

        world = self._desk.world
        suffix, now = SUFFIXES[file_format], world.clock.now()
        name = await asyncio.to_thread(world.store.keep_picture, data, suffix, now=now)
        return world.links.make(f"pictures/{name}", origin=origin_of(request), seconds=world.settings.link_seconds)


def _token(request: Request, part: object) -> str:
    """From the header, or from the older part; the header wins (upload_img.upload_auth)."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if isinstance(part, str) and part:
        return part
    raise Refused(NO_TOKEN)
