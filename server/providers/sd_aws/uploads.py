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
from atelier_mcp.server.providers.sd_aws.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from atelier_mcp.server.providers.limits import Clock
    from atelier_mcp.server.providers.sd_aws.middleware import Middleware

CHUNK_BYTES = 256 * 1024
LEAST_PART_BYTES = 8 * 1024 * 1024
"""The storage takes no smaller part but the last (contract: create_checkpoint.parts)."""
MOST_PARTS = 100
"""Of one file (contract: appendix_generation_2, create_checkpoint)."""
PIECE_OF_WORK_S = 2.0
"""How long one look may send before it reports."""
TRIES = 3
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Piece:
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
class Source:
    """A local file as it was when the upload began."""

    path: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Upload:
    """All of an upload: its pieces, the files they come from, and the ETags of those that have arrived."""

    pieces: tuple[Piece, ...]
    sources: tuple[Source, ...]
    tags: dict[str, str]
    """By index of the piece."""
    facts: dict[str, Any]
    """What is needed to finish it at the service."""

    @property
    def share(self) -> float:
        """The share of bytes that have arrived."""
        whole = sum(piece.size_bytes for piece in self.pieces)
        sent = sum(self.pieces[int(index)].size_bytes for index in self.tags)
        return sent / whole if whole else 1.0

    @property
    def complete(self) -> bool:
        """Whether every piece has arrived."""
        return len(self.tags) == len(self.pieces)

    def parts(self) -> list[dict[str, Any]]:
        """The tags as the service wants them, exactly as the storage gave them (contract: etag_quotes)."""
        return [{"ETag": self.tags[str(i)], "PartNumber": piece.number} for i, piece in enumerate(self.pieces)]


class Uploads:
    """The uploads of one account, in a folder."""

    def __init__(self, middleware: Middleware, folder: Path, *, clock: Clock, base_url: str, local: bool) -> None:
        """Keep their state in ``folder``; ``local`` is set for a stand-in that may come back on another port."""
        self._middleware = middleware
        self._folder = folder
        self._clock = clock
        self._base_url = base_url
        self._local = local

    async def begin(self, upload_id: str, upload: Upload) -> None:
        """Write an upload down; ``advance`` carries it on."""
        await asyncio.to_thread(self._write, upload_id, upload)

    async def get(self, upload_id: str) -> Upload | None:
        """The upload as it stands; None for one that is finished, or was begun by another installation."""
        return await asyncio.to_thread(self._read, upload_id)

    async def forget(self, upload_id: str) -> None:
        """Drop the state of a finished upload."""
        await asyncio.to_thread(self._path(upload_id).unlink, missing_ok=True)

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
            upload.tags[str(index)] = await self._sent(piece)
            await asyncio.to_thread(self._write, upload_id, upload)
            if self._clock.monotonic() - began_s >= PIECE_OF_WORK_S:
                break
        return upload

    async def _sent(self, piece: Piece) -> str:
        """Send a piece until it has arrived unchanged; its ETag.

        The ETag of a piece is its MD5 (that of storage encrypted with a key of the customer's is not: such a bucket
        has to be told by an ETag that is no MD5 at all, or it is refused here).
        """
        for _ in range(TRIES):
            content = FilePart(piece)
            tag = await self._put(piece, content)
            plain = tag.strip('"').lower()
            if content.size_sent != piece.size_bytes:
                raise UpstreamFailed(f"{piece.path} has become shorter while it was uploaded.")
            if not _MD5.fullmatch(plain) or plain == content.md5:
                return tag
        raise UpstreamFailed(f"Part {piece.number} of {piece.name} arrived changed, {TRIES} times.")

    async def _put(self, piece: Piece, content: FilePart) -> str:
        try:
            answer = await self._middleware.put(piece.link, content, size_bytes=piece.size_bytes)
        except Rejected as err:
            raise UpstreamFailed(
                f"The storage refuses part {piece.number} of {piece.name} (HTTP {err.fault.status}): "
                "its link has most likely expired.",
                then="Begin the upload again.",
            ) from None
        except ProviderUnavailable:
            if (link := self._elsewhere(piece.link)) is None:
                raise
            answer = await self._middleware.put(link, content, size_bytes=piece.size_bytes)
        if not (tag := answer.headers.get("etag", "")):
            raise ProviderUnavailable("The storage took a part and named no ETag.")
        return tag

    def _elsewhere(self, link: str) -> str | None:
        """The link at the address the service has now: the built-in one changes its port with each start."""
        here, there = urlsplit(self._base_url), urlsplit(link)
        if not self._local or here.netloc == there.netloc:
            return None
        return urlunsplit(there._replace(scheme=here.scheme, netloc=here.netloc))

    def _write(self, upload_id: str, upload: Upload) -> None:
        path = self._path(upload_id)
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
            document = json.loads(self._path(upload_id).read_text("utf-8"))
        except FileNotFoundError:
            return None
        pieces = tuple(Piece(**piece) for piece in document["pieces"])
        return Upload(pieces, tuple(Source(**s) for s in document["sources"]), document["tags"], document["facts"])

    def _path(self, upload_id: str) -> Path:
        return self._folder / f"{hashlib.sha256(upload_id.encode()).hexdigest()[:24]}.json"


class FilePart:
    """A stretch of a file, read anew each time it is iterated over; knows the MD5 and size of what it last gave."""

    def __init__(self, piece: Piece) -> None:
        """Nothing is opened yet."""
        self._piece = piece
        self.md5 = ""
        self.size_sent = 0

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """The bytes, a chunk at a time."""
        digest, left = hashlib.md5(usedforsecurity=False), self._piece.size_bytes
        file = await asyncio.to_thread(Path(self._piece.path).open, "rb")
        try:
            await asyncio.to_thread(file.seek, self._piece.offset)
            while left and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))):
                digest.update(chunk)
                left -= len(chunk)
                self.md5, self.size_sent = digest.hexdigest(), self._piece.size_bytes - left
                yield chunk
        finally:
            await asyncio.to_thread(file.close)


def part_count(size_bytes: int) -> int:
    """How many parts a file is sent in: of 8 MiB, or a hundredth of it."""
    return max(1, -(-size_bytes // _part_bytes(size_bytes)))


def parts_of(path: str, size_bytes: int, name: str, links: Sequence[str]) -> tuple[Piece, ...]:
    """A file cut into equal parts, the last one smaller, each with its link."""
    step = _part_bytes(size_bytes)
    return tuple(
        Piece(link, path, offset, min(step, size_bytes - offset), name, number)
        for number, (offset, link) in enumerate(zip(range(0, max(size_bytes, 1), step), links, strict=True), 1)
    )


async def source_of(path: str, *, refuse: Callable[[str], Exception] = ImageRefused) -> Source:
    """A file as it is now. Raises ``ImageRefused`` when it cannot be read."""
    try:
        found = await asyncio.to_thread(os.stat, path)
    except OSError as err:
        raise refuse(f"{path} cannot be read.") from err
    if not found.st_size:
        raise refuse(f"{path} is empty.")
    return Source(path, found.st_size, found.st_mtime_ns)


def _part_bytes(size_bytes: int) -> int:
    return max(LEAST_PART_BYTES, -(-size_bytes // MOST_PARTS))


def _check_sources(sources: Sequence[Source]) -> None:
    """Raise ``UpstreamFailed`` for a file that is gone or is another one now: its parts would not fit together."""
    for source in sources:
        try:
            found = Path(source.path).stat()
        except OSError as err:
            raise UpstreamFailed(f"{source.path} is gone; its upload cannot go on.", then="Begin it again.") from err
        if (found.st_size, found.st_mtime_ns) != (source.size_bytes, source.modified_ns):
            raise UpstreamFailed(f"{source.path} has changed since its upload began.", then="Begin it again.")
