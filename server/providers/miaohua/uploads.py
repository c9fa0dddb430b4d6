"""Pictures taken in by Miaohua, which answers with links that its other calls accept and that anyone can read."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import AuthenticationFailed, ImageRefused, ProviderUnavailable
from atelier_mcp.server.providers.http import Call
from atelier_mcp.server.providers.miaohua.errors import NO_SUCH_ENDPOINT, Rejected, error_for
from atelier_mcp.server.providers.miaohua.wire import links_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from atelier_mcp.server.providers.http import Account
    from atelier_mcp.server.providers.limits import Clock

PATH = "/upload_imgs"
"""It covers one file too, and the other's sample names this one (contract: upload_img.single_sample_url)."""
SINGLE_PATH = "/upload_img"
"""For a service that has nothing at the former."""
PART = "init_img"
BESIDE_EACH_OTHER = 4
KEPT_S = 1800.0
"""How long links work is not said; they are signed and do expire (contract: picture_links)."""
MOST_KEPT = 200
SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class _Kept:
    link: str
    made_at_s: float


class Uploads:
    """Uploads through ``ask`` and remembers each picture's link for half an hour."""

    def __init__(self, ask: Callable[[Call], Awaitable[Any]], account: Account, *, clock: Clock) -> None:
        """``ask`` answers with JSON and raises ``Rejected`` or an ``AtelierError``."""
        self._ask = ask
        self._account = account
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._slots = asyncio.Semaphore(BESIDE_EACH_OTHER)
        self._path = PATH
        self.token_as_part = False
        """True for a service that wants the token as a part of the form (contract: upload_auth)."""

    async def link(self, data: bytes, media_type: str) -> str:
        """A link to the picture. Raises ``ImageRefused`` for a kind of picture that Miaohua does not take."""
        if media_type not in SUFFIXES:
            raise ImageRefused(f"Miaohua takes JPEG, PNG and WebP pictures, not {media_type}.")
        digest = sha256(data).hexdigest()
        kept = self._kept.get(digest)
        if kept is not None and self._clock.monotonic() - kept.made_at_s < KEPT_S:
            return kept.link
        async with self._slots:
            link = await self._uploaded(data, media_type)
        self._kept[digest] = _Kept(link, self._clock.monotonic())
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return link

    async def links(self, pictures: Mapping[str, str]) -> dict[str, str]:
        """A link for each picture given as base64, by place."""

        async def uploaded(encoded: str) -> str:
            data = await asyncio.to_thread(base64.b64decode, encoded)
            return await self.link(data, media_type_of(data))

        ends = await asyncio.gather(*(uploaded(encoded) for encoded in pictures.values()), return_exceptions=True)
        links = [link for link in ends if isinstance(link, str)]
        for end in ends:  # none is left under way when the first error is raised
            if isinstance(end, BaseException):
                raise end
        return dict(zip(pictures, links, strict=True))

    async def _uploaded(self, data: bytes, media_type: str) -> str:
        file = (f"picture.{SUFFIXES[media_type]}", data, media_type)
        try:
            links = links_in(await self._answer(file))
        except Rejected as err:
            raise error_for(err.fault, account=self._account, submit=False) from None
        if len(links) != 1:
            raise ProviderUnavailable("Miaohua took a picture and did not answer with one link.")
        return links[0]

    async def _answer(self, file: tuple[str, bytes, str]) -> Any:
        """By the path and in the way that the service knows; what it does not know is not tried again."""
        call = Call("POST", self._path, files={PART: file}, read_timeout_s=TIMEOUT_S)
        try:
            return await self._ask(call)
        except Rejected as err:
            if err.fault.code not in NO_SUCH_ENDPOINT or self._path == SINGLE_PATH:
                raise
            self._path = SINGLE_PATH
            return await self._answer(file)
        except AuthenticationFailed:
            if self.token_as_part:
                raise
            return await self._the_older_way(call)

    async def _the_older_way(self, call: Call) -> Any:
        self.token_as_part = True
        try:
            return await self._ask(call)
        except AuthenticationFailed:
            self.token_as_part = False
            raise


def media_type_of(data: bytes) -> str:
    """The kind of a picture by its first bytes."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if data[8:12] == b"WEBP" else "application/octet-stream"
