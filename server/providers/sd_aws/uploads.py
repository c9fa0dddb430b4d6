"""Local files on their way to signed links, a part at a time, resumed where they were broken off.

What has to be sent and what was acknowledged stands in one small file per upload. It is written after every
acknowledged part, so that a part is never sent again once its answer is known, however the process ends. A part is
read from the disk while it is sent; of a file no more than a chunk is in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from atelier_mcp.server.errors import ImageRefused, ProviderUnavailable, UpstreamFailed
from atelier_mcp.server.providers.sd_aws.errors import SdAwsRejection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient

CHUNK_BYTES = 256 * 1024
MIN_PART_BYTES = 8 * 1024 * 1024
"""The storage takes no smaller part but the last (contract: create_checkpoint.parts)."""
MAX_PARTS = 100
"""Of one file (contract: appendix_generation_2, create_checkpoint)."""
ADVANCE_TIME_S = 2.0
"""How long one poll may send before it reports."""
MAX_ATTEMPTS = 3
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class UploadPart:
    """A part of a file, or all of it, and where it goes."""

    link: str
    path: str
    offset: int
    size_bytes: int
    name: str
    """The file's name at the service."""
    number: int
    """Of the part, from 1."""


@dataclass(frozen=True, slots=True)
class UploadSource:
    """A local file as it was when the upload began."""

    path: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Upload:
    """All of an upload: its pieces, the files they come from, and the ETags of those that have arrived."""

    pieces: tuple[UploadPart, ...]
    sources: tuple[UploadSource, ...]
    tags: dict[str, str]
    """By index of the piece."""
    facts: dict[str, Any]
    """What is needed to finish it at the service."""

    @property
    def progress(self) -> float:
        """The share of bytes that have arrived."""
        whole = sum(piece.size_bytes for piece in self.pieces)
        sent = sum(self.pieces[int(index)].size_bytes for index in self.tags)
        return sent / whole if whole else 1.0

    @property
    def is_complete(self) -> bool:
        """Whether every piece has arrived."""
        return len(self.tags) == len(self.pieces)

    def build_part_tags(self) -> list[dict[str, Any]]:
        """The tags as the service wants them, exactly as the storage gave them (contract: etag_quotes)."""
        return [{"ETag": self.tags[str(i)], "PartNumber": piece.number} for i, piece in enumerate(self.pieces)]


class SdAwsUploader:
    """The uploads of one account, in a folder."""

    def __init__(
        self, middleware: MiddlewareClient, folder: Path, *, clock: Clock, base_url: str, is_local: bool
    ) -> None:
        """Keep their state in ``folder``; ``is_local`` is set for an emulator that may come back on another port."""
        self._middleware = middleware
        self._folder = folder
        self._clock = clock
        self._base_url = base_url
        self._is_local = is_local

    async def save(self, upload_id: str, upload: Upload) -> None:
        """Write an upload down; ``advance`` carries it on."""
        await asyncio.to_thread(self._write, upload_id, upload)

    async def load(self, upload_id: str) -> Upload | None:
        """The upload as it stands; None for one that is finished, or was begun by another installation."""
        return await asyncio.to_thread(self._read, upload_id)

    async def delete(self, upload_id: str) -> None:
        """Drop the state of a finished upload."""
        await asyncio.to_thread(self._get_path(upload_id).unlink, missing_ok=True)

    async def advance(self, upload_id: str, upload: Upload) -> Upload:
        """Send pieces for about two seconds, at least one.

        Raises ``UpstreamFailed`` when it can never be finished: a file has changed, or the links have expired; and
        ``TransientError`` when it can be tried again.
        """
        await asyncio.to_thread(_check_sources, upload.sources)
        began_s = self._clock.monotonic()
        for index, piece in enumerate(upload.pieces):
            if str(index) in upload.tags:
                continue
            upload.tags[str(index)] = await self._send_part(piece)
            await asyncio.to_thread(self._write, upload_id, upload)
            if self._clock.monotonic() - began_s >= ADVANCE_TIME_S:
                break
        return upload

    async def _send_part(self, piece: UploadPart) -> str:
        """Send a piece until it has arrived unchanged; its ETag.

        The ETag of a piece is its MD5 (that of storage encrypted with a key of the customer's is not: such a bucket
        has to be told by an ETag that is no MD5 at all, or it is refused here).
        """
        for _ in range(MAX_ATTEMPTS):
            content = FilePart(piece)
            tag = await self._put_part(piece, content)
            etag = tag.strip('"').lower()
            if content.sent_bytes != piece.size_bytes:
                raise UpstreamFailed(f"{piece.path} has become shorter while it was uploaded.")
            if not _MD5.fullmatch(etag) or etag == content.md5:
                return tag
        raise UpstreamFailed(f"Part {piece.number} of {piece.name} arrived changed, {MAX_ATTEMPTS} times.")

    async def _put_part(self, piece: UploadPart, content: FilePart) -> str:
        try:
            response = await self._middleware.put(piece.link, content, size_bytes=piece.size_bytes)
        except SdAwsRejection as err:
            raise UpstreamFailed(
                f"The storage refuses part {piece.number} of {piece.name} (HTTP {err.fault.status}): "
                "its link has most likely expired.",
                hint="Begin the upload again.",
            ) from None
        except ProviderUnavailable:
            if (link := self._rebase_link(piece.link)) is None:
                raise
            response = await self._middleware.put(link, content, size_bytes=piece.size_bytes)
        if not (tag := response.headers.get("etag", "")):
            raise ProviderUnavailable("The storage took a part and named no ETag.")
        return tag

    def _rebase_link(self, link: str) -> str | None:
        """The link at the address the service has now: the built-in one changes its port with each start."""
        own_url, link_url = urlsplit(self._base_url), urlsplit(link)
        if not self._is_local or own_url.netloc == link_url.netloc:
            return None
        return urlunsplit(link_url._replace(scheme=own_url.scheme, netloc=own_url.netloc))

    def _write(self, upload_id: str, upload: Upload) -> None:
        path = self._get_path(upload_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(".tmp")
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds signed links
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(upload), file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)

    def _read(self, upload_id: str) -> Upload | None:
        try:
            document = json.loads(self._get_path(upload_id).read_text("utf-8"))
        except FileNotFoundError:
            return None
        pieces = tuple(UploadPart(**piece) for piece in document["pieces"])
        return Upload(
            pieces, tuple(UploadSource(**s) for s in document["sources"]), document["tags"], document["facts"]
        )

    def _get_path(self, upload_id: str) -> Path:
        return self._folder / f"{hashlib.sha256(upload_id.encode()).hexdigest()[:24]}.json"


class FilePart:
    """A stretch of a file, read anew each time it is iterated over; knows the MD5 and size of what it last gave."""

    def __init__(self, piece: UploadPart) -> None:
        """Nothing is opened yet."""
        self._piece = piece
        self.md5 = ""
        self.sent_bytes = 0

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """The bytes, a chunk at a time."""
        digest, left = hashlib.md5(usedforsecurity=False), self._piece.size_bytes
        file = await asyncio.to_thread(Path(self._piece.path).open, "rb")
        try:
            await asyncio.to_thread(file.seek, self._piece.offset)
            while left and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))):
                digest.update(chunk)
                left -= len(chunk)
                self.md5, self.sent_bytes = digest.hexdigest(), self._piece.size_bytes - left
                yield chunk
        finally:
            await asyncio.to_thread(file.close)


def count_parts(size_bytes: int) -> int:
    """How many parts a file is sent in: of 8 MiB, or a hundredth of it."""
    return max(1, -(-size_bytes // _compute_part_bytes(size_bytes)))


def split_parts(path: str, size_bytes: int, name: str, links: Sequence[str]) -> tuple[UploadPart, ...]:
    """A file cut into equal parts, the last one smaller, each with its link."""
    part_bytes = _compute_part_bytes(size_bytes)
    return tuple(
        UploadPart(link, path, offset, min(part_bytes, size_bytes - offset), name, number)
        for number, (offset, link) in enumerate(zip(range(0, max(size_bytes, 1), part_bytes), links, strict=True), 1)
    )


async def read_source(path: str, *, error_type: Callable[[str], Exception] = ImageRefused) -> UploadSource:
    """A file as it is now. Raises ``ImageRefused`` when it cannot be read."""
    try:
        status = await asyncio.to_thread(os.stat, path)
    except OSError as err:
        raise error_type(f"{path} cannot be read.") from err
    if not status.st_size:
        raise error_type(f"{path} is empty.")
    return UploadSource(path, status.st_size, status.st_mtime_ns)


def _compute_part_bytes(size_bytes: int) -> int:
    return max(MIN_PART_BYTES, -(-size_bytes // MAX_PARTS))


def _check_sources(sources: Sequence[UploadSource]) -> None:
    """Raise ``UpstreamFailed`` for a file that is gone or is another one now: its parts would not fit together."""
    for source in sources:
        try:
            status = Path(source.path).stat()
        except OSError as err:
            raise UpstreamFailed(f"{source.path} is gone; its upload cannot go on.", hint="Begin it again.") from err
        if (status.st_size, status.st_mtime_ns) != (source.size_bytes, source.modified_ns):
            raise UpstreamFailed(f"{source.path} has changed since its upload began.", hint="Begin it again.")
