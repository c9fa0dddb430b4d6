"""Pictures taken in by Miaohua, which answers with links that its other calls accept and that anyone can read."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import AuthenticationFailed, ImageRefused, ProviderUnavailable
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.errors import NO_SUCH_ENDPOINT, MiaohuaRejection
from atelier_mcp.server.providers.miaohua.wire import parse_links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.miaohua.session import MiaohuaSession

UPLOAD_PATH = "/upload_imgs"
"""It covers one file too, and the other's sample names this one (contract: upload_img.single_sample_url)."""
SINGLE_UPLOAD_PATH = "/upload_img"
"""For a service that has nothing at the former."""
PART_NAME = "init_img"
MAX_CONCURRENT_UPLOADS = 4
LINK_CACHE_TTL_S = 1800.0
"""How long links work is not said; they are signed and do expire (contract: picture_links)."""
MAX_CACHED_LINKS = 200
SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
UPLOAD_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class _CachedLink:
    link: str
    created_at_s: float


class MiaohuaImageUploader:
    """Uploads, and remembers each image's link for half an hour."""

    def __init__(self, session: MiaohuaSession) -> None:
        """Hold the way to send; nothing is sent yet."""
        self._session = session
        self._clock = session.client.clock
        self._cache: dict[str, _CachedLink] = {}
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_UPLOADS)
        self._path = UPLOAD_PATH

    async def upload(self, data: bytes, media_type: str) -> str:
        """A link to the picture. Raises ``ImageRefused`` for a kind of picture that Miaohua does not take."""
        if media_type not in SUFFIXES:
            raise ImageRefused(f"Miaohua takes JPEG, PNG and WebP pictures, not {media_type}.")
        # By content: the same picture under two names is sent once.
        digest = sha256(data).hexdigest()
        cached_link = self._cache.get(digest)
        if cached_link is not None and self._clock.monotonic() - cached_link.created_at_s < LINK_CACHE_TTL_S:
            return cached_link.link
        # A training sends a hundred pictures: not all at once.
        async with self._semaphore:
            link = await self._upload_file(data, media_type)
        self._cache[digest] = _CachedLink(link, self._clock.monotonic())
        while len(self._cache) > MAX_CACHED_LINKS:
            del self._cache[next(iter(self._cache))]
        return link

    async def upload_all(self, images: Mapping[str, str]) -> dict[str, str]:
        """A link for each picture given as base64, by place."""

        async def upload_encoded(encoded: str) -> str:
            data = await asyncio.to_thread(base64.b64decode, encoded)
            return await self.upload(data, detect_media_type(data))

        results = await asyncio.gather(
            *(upload_encoded(encoded) for encoded in images.values()), return_exceptions=True
        )
        links = [link for link in results if isinstance(link, str)]
        for result in results:  # none is left under way when the first error is raised
            if isinstance(result, BaseException):
                raise result
        return dict(zip(images, links, strict=True))

    async def _upload_file(self, data: bytes, media_type: str) -> str:
        file = (f"picture.{SUFFIXES[media_type]}", data, media_type)
        try:
            links = parse_links(await self._post_file(file))
        except MiaohuaRejection as err:
            raise err.error from None
        if len(links) != 1:
            raise ProviderUnavailable("Miaohua took a picture and did not answer with one link.")
        return links[0]

    async def _post_file(self, file: tuple[str, bytes, str]) -> Any:
        """By the path and in the way that the service knows; what it does not know is not tried again."""
        http_request = HttpRequest("POST", self._path, files={PART_NAME: file}, read_timeout_s=UPLOAD_TIMEOUT_S)
        try:
            return await self._session.send_past_image_check(http_request)
        except MiaohuaRejection as err:
            # Remembered for the process: the next upload goes straight to the path that exists.
            if err.fault.code not in NO_SUCH_ENDPOINT or self._path == SINGLE_UPLOAD_PATH:
                raise
            self._path = SINGLE_UPLOAD_PATH
            return await self._post_file(file)
        except AuthenticationFailed:
            if self._session.sends_token_as_part:
                raise
            return await self._post_with_token_part(http_request)

    async def _post_with_token_part(self, http_request: HttpRequest) -> Any:
        self._session.sends_token_as_part = True
        try:
            return await self._session.send_past_image_check(http_request)
        except AuthenticationFailed:
            self._session.sends_token_as_part = False
            raise


def detect_media_type(data: bytes) -> str:
    """The kind of a picture by its first bytes."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if data[8:12] == b"WEBP" else "application/octet-stream"
