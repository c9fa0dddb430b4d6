"""Local files to be uploaded: as they were when the upload began, and cut into parts.

A part is read hours after its file was looked at. It is opened without following a link, and the open file is compared
with the one that was looked at: whatever lies under that name now, nothing else is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused, UpstreamFailed
from atelier_mcp.server.images.local_open import open_resolved

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from typing import BinaryIO

CHUNK_BYTES = 4 * 1024 * 1024
"""Read at once. The file is found anew for each, so that nothing stays open when a read is cancelled."""
MIN_PART_BYTES = 8 * 1024 * 1024
"""The storage takes no smaller part but the last (contract: create_checkpoint.parts)."""
MAX_PARTS = 100
"""Of one file (contract: appendix_generation_2, create_checkpoint)."""


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
    text: str = ""
    """All of a file that does not lie on the disk; ``path`` is empty then."""


@dataclass(frozen=True, slots=True)
class UploadSource:
    """A local file as it was when the upload began."""

    path: str
    size_bytes: int
    modified_ns: int
    inode: int = 0
    """Its number on its disk; 0 where an older state does not tell."""

    def read(self, offset: int, size_bytes: int) -> bytes:
        """A stretch of the file. Raises as ``open`` does.

        Opened for each one anew: nothing stays open when whoever reads is cancelled.
        """
        with self.open() as file:
            file.seek(offset)
            return file.read(size_bytes)

    def open(self) -> BinaryIO:
        """The file, if it is still the same. Blocks. Raises ``UpstreamFailed`` where it is gone or another one."""
        try:
            file = open_resolved(Path(self.path))
        except OSError as err:
            raise UpstreamFailed(f"{self.path} is gone; its upload cannot go on.", hint="Begin it again.") from err
        status = os.fstat(file.fileno())
        is_same = (status.st_size, status.st_mtime_ns) == (self.size_bytes, self.modified_ns)
        if not is_same or self.inode not in (0, status.st_ino):
            file.close()
            raise UpstreamFailed(f"{self.path} has changed since its upload began.", hint="Begin it again.")
        return file


class FilePart:
    """A stretch of a file, read anew each time it is iterated over; knows the MD5 and size of what it last gave.

    It is read while it is sent: of a file no more than a chunk is in memory.
    """

    def __init__(self, part: UploadPart, source: UploadSource | None) -> None:
        """Nothing is opened yet; ``source`` is None for a part that does not lie on the disk."""
        self._part = part
        self._source = source
        self.md5: str = ""
        self.sent_bytes: int = 0

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """The bytes, a chunk at a time."""
        if self._source is None:
            content = self._part.text.encode()
            self.md5, self.sent_bytes = hashlib.md5(content, usedforsecurity=False).hexdigest(), len(content)
            yield content
            return
        # MD5 because it is what the storage gives as the ETag of a part.
        digest, left = hashlib.md5(usedforsecurity=False), self._part.size_bytes
        offset = self._part.offset
        while left and (chunk := await asyncio.to_thread(self._source.read, offset, min(CHUNK_BYTES, left))):
            digest.update(chunk)
            left, offset = left - len(chunk), offset + len(chunk)
            self.md5, self.sent_bytes = digest.hexdigest(), self._part.size_bytes - left
            yield chunk


def count_parts(size_bytes: int) -> int:
    """How many parts a file is sent in: of 8 MiB, or a hundredth of it."""
    return max(1, -(-size_bytes // _compute_part_bytes(size_bytes)))


def split_parts(source: UploadSource, name: str, links: Sequence[str]) -> tuple[UploadPart, ...]:
    """A file cut into equal parts, the last one smaller, each with its link; ``name`` is the file's at the service."""
    part_bytes = _compute_part_bytes(source.size_bytes)
    offsets = range(0, max(source.size_bytes, 1), part_bytes)
    return tuple(
        UploadPart(link, source.path, offset, min(part_bytes, source.size_bytes - offset), name, number)
        for number, (offset, link) in enumerate(zip(offsets, links, strict=True), 1)
    )


async def read_source(path: str, check: Callable[[Path, BinaryIO], None]) -> UploadSource:
    """A file as it is now, in whose path no part is a link.

    ``check`` raises ``ImageRefused`` unless the open file is of its kind; so does this when it cannot be read or is
    empty.
    """
    return await asyncio.to_thread(_read_source, Path(path), check)


def _read_source(path: Path, check: Callable[[Path, BinaryIO], None]) -> UploadSource:
    try:
        file = open_resolved(path)
    except OSError as err:
        raise ImageRefused(f"{path} cannot be read.") from err
    with file:
        status = os.fstat(file.fileno())
        if not status.st_size:
            raise ImageRefused(f"{path} is empty.")
        check(path, file)
    return UploadSource(str(path), status.st_size, status.st_mtime_ns, status.st_ino)


async def check_sources(sources: Sequence[UploadSource]) -> None:
    """Raise ``UpstreamFailed`` for a file that is gone or is another one now: its parts would not fit together."""
    await asyncio.to_thread(_check_sources, sources)


def _check_sources(sources: Sequence[UploadSource]) -> None:
    for source in sources:
        source.open().close()


def _compute_part_bytes(size_bytes: int) -> int:
    return max(MIN_PART_BYTES, -(-size_bytes // MAX_PARTS))
