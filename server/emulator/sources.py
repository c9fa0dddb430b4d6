"""Pictures a request refers to: fetched when it is submitted, and checked by what they are, not what they are called.

The emulator stands for services out in the internet, and its client is on this machine: it fetches pictures from any
http(s) link, loopback included; links to its own files it reads from the folder. Links that a client only passes on,
as those to model files, lead the built-in emulator to the public internet alone. A marked picture that it made itself,
it takes without the mark, as it was made.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError, ImageRefused
from atelier_mcp.server.images.probe import probe

if TYPE_CHECKING:
    import httpx2

    from atelier_mcp.server.emulator.links import SignedLinks
    from atelier_mcp.server.emulator.task_store import TaskStore
    from atelier_mcp.server.images.workers import ImageWorkers

FETCH_TIMEOUT_S: Final = 20.0
MOST_REDIRECTS: Final = 5


class SourceError(Exception):
    """A picture cannot be had or is not as it must be; the text says why."""


@dataclass(frozen=True, slots=True)
class SourceRule:
    """What a picture must be. Sides in pixels, both ends allowed unless ``open_end``."""

    min_side_px: int = 256
    max_side_px: int = 6000
    open_end: bool = False
    formats: frozenset[str] = frozenset({"JPEG", "PNG", "WEBP"})


@dataclass(frozen=True, slots=True)
class SourceImage:
    """A checked picture: its bytes to work on, its format in Pillow's word, its sides upright, in pixels.

    ``format`` is that of the bytes handed in; what is kept in the place of a marked result is a PNG.
    """

    data: bytes
    format: str
    width: int
    height: int


class SourceLoader:
    """Fetches and checks pictures."""

    def __init__(self, links: SignedLinks, store: TaskStore, workers: ImageWorkers, *, guards_links: bool) -> None:
        """Know our own links and our own pictures; ``workers`` read the headers of others.

        ``guards_links`` keeps ``fetch_file`` out of private networks.
        """
        self._links, self._store, self._workers = links, store, workers
        self._guards_links = guards_links
        self._client: httpx2.AsyncClient | None = None
        self._client_lock = asyncio.Lock()

    async def fetch(self, url: str, rule: SourceRule, *, most_bytes: int) -> SourceImage:
        """The picture behind a link; raises SourceError."""
        return await self.check(await self.download(url, most_bytes=most_bytes), rule, most_bytes=most_bytes)

    async def check(self, data: bytes, rule: SourceRule, *, most_bytes: int) -> SourceImage:
        """The picture these bytes are; raises SourceError."""
        if len(data) > most_bytes:
            raise SourceError(f"is larger than {most_bytes} bytes")
        source = await self._probe(data)
        if source.format not in rule.formats:
            raise SourceError(f"is {source.format}, not one of {', '.join(sorted(rule.formats))}")
        for side in (source.width, source.height):
            if side < rule.min_side_px or side > rule.max_side_px or (rule.open_end and side == rule.max_side_px):
                raise SourceError(
                    f"is {source.width}x{source.height}; sides go from {rule.min_side_px} to {rule.max_side_px}"
                )
        return replace(source, data=await self.find_unmarked(data))

    async def find_unmarked(self, data: bytes) -> bytes:
        """The picture to work on: without our mark if it is a result of ours, else as it is."""
        return await asyncio.to_thread(self._store.find_unmarked, data)

    async def download(self, url: str, *, most_bytes: int) -> bytes:
        """The bytes behind a link; raises SourceError."""
        from atelier_mcp.server.emulator.links import LinkError

        if not url.startswith(("http://", "https://")):
            raise SourceError("is not an http or https link")
        try:
            own_file = self._links.resolve(url)
        except LinkError as err:
            raise SourceError(f"cannot be fetched: {err}") from err
        if own_file is not None:
            return await asyncio.to_thread(own_file.read_bytes)
        return await self._fetch(url, most_bytes)

    async def fetch_file(self, url: str, *, most_bytes: int) -> bytes:
        """The bytes behind a link that the client had from somebody else; raises SourceError."""
        if not self._guards_links:
            return await self.download(url, most_bytes=most_bytes)
        from atelier_mcp.server.images.download import Downloader

        try:
            async with Downloader() as downloader:
                return await downloader.fetch(url, max_bytes=most_bytes, timeout_s=FETCH_TIMEOUT_S)
        except AtelierError as err:
            raise SourceError(f"cannot be fetched: {err.message}") from err

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _probe(self, data: bytes) -> SourceImage:
        try:
            header = await self._workers.run(probe, data)
        except ImageRefused as err:
            raise SourceError(f"is not a picture that can be read: {err.message}") from err
        return SourceImage(data, header.format, header.width, header.height)

    async def _fetch(self, url: str, most_bytes: int) -> bytes:
        import httpx2

        client = await self._get_client()
        data = bytearray()
        try:
            async with client.stream("GET", url) as response:
                if not response.is_success:
                    raise SourceError(f"cannot be fetched: HTTP {response.status_code}")
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > most_bytes:
                        raise SourceError(f"is larger than {most_bytes} bytes")
        except (httpx2.HTTPError, httpx2.InvalidURL) as err:
            raise SourceError(f"cannot be fetched: {type(err).__name__}") from err
        return bytes(data)

    async def _get_client(self) -> httpx2.AsyncClient:
        async with self._client_lock:
            if self._client is None:
                # Reading the certificates takes tens of milliseconds.
                self._client = await asyncio.to_thread(_create_client)
            return self._client


def _create_client() -> httpx2.AsyncClient:
    import httpx2

    return httpx2.AsyncClient(
        follow_redirects=True,
        max_redirects=MOST_REDIRECTS,
        timeout=FETCH_TIMEOUT_S,
        trust_env=False,
        # A kept connection may be closed by its server at the very moment a request leaves on it.
        limits=httpx2.Limits(max_keepalive_connections=0),
    )


def decode_base64(text: str) -> bytes:
    """The bytes of plain base64 or of a data URL; raises SourceError."""
    # The media type in front is not believed: the bytes tell what they are.
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except binascii.Error as err:
        raise SourceError("is not base64") from err


def has_same_ratio(one: SourceImage, other: SourceImage) -> bool:
    """Whether two pictures have the same ratio of sides within 1 %."""
    return has_ratio(one.width, one.height, other)


def has_ratio(width: int, height: int, source: SourceImage) -> bool:
    """Whether two sides have the ratio of the picture's within 1 %."""
    return abs(width * source.height / (height * source.width) - 1) <= 0.01
