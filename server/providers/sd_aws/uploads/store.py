"""What has to be sent and what was acknowledged, in one small file per upload.

It is written before the first part is sent and after every acknowledged one, so that a part is never sent again once
its answer is known, however the process ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.images.atomic import stage_file
from atelier_mcp.server.private_files import make_private_folder
from atelier_mcp.server.providers.sd_aws.uploads.files import UploadPart, UploadSource, split_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


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
        """The share of bytes that have arrived, in [0, 1]."""
        whole = sum(piece.size_bytes for piece in self.pieces)
        sent = sum(self.pieces[int(index)].size_bytes for index in self.tags)
        return sent / whole if whole else 1.0

    @property
    def is_complete(self) -> bool:
        """Whether every piece has arrived."""
        return len(self.tags) == len(self.pieces)

    def iterate_missing(self) -> Iterator[tuple[str, UploadPart]]:
        """The pieces that have not arrived, each with its key in ``tags``."""
        return ((str(i), piece) for i, piece in enumerate(self.pieces) if str(i) not in self.tags)

    def build_part_tags(self) -> list[dict[str, Any]]:
        """The tags as the service wants them, exactly as the storage gave them (contract: etag_quotes)."""
        return [{"ETag": self.tags[str(i)], "PartNumber": piece.number} for i, piece in enumerate(self.pieces)]


def create_upload(source: UploadSource, name: str, links: Sequence[str]) -> Upload:
    """The upload of one file in as many parts as there are links; ``name`` is the file's at the service."""
    return Upload(split_parts(source, name, links), (source,), {}, {"name": name})


class UploadStore:
    """The uploads of one account that are not finished, in a folder."""

    def __init__(self, folder: Path) -> None:
        """Keep them in ``folder``, which is made when the first one comes."""
        self._folder = folder

    async def save(self, upload_id: str, upload: Upload) -> None:
        """Write an upload down as it stands. Whoever is cancelled leaves when it is written, not before.

        What is written next under that id would else be replaced by this: a thread cannot be called off.
        """
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, upload_id, upload))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise

    async def load(self, upload_id: str) -> Upload | None:
        """The upload as it stands; None for one that is finished, or was begun by another installation."""
        return await asyncio.to_thread(self._read, upload_id)

    async def delete(self, upload_id: str) -> None:
        """Drop the state of a finished upload."""
        await asyncio.to_thread(self._get_path(upload_id).unlink, missing_ok=True)

    def _write(self, upload_id: str, upload: Upload) -> None:
        path = self._get_path(upload_id)
        if not path.parent.is_dir():
            make_private_folder(path.parent)
        # Staged under a name of its own: a transfer may note a part while another upload takes its place. Forced to the
        # disk, since a part counts as sent from here on.
        with stage_file(path.parent, json.dumps(asdict(upload), ensure_ascii=False).encode()) as staged:
            staged.replace(path)

    def _read(self, upload_id: str) -> Upload | None:
        try:
            document = json.loads(self._get_path(upload_id).read_text("utf-8"))
        except FileNotFoundError:
            return None
        pieces = tuple(UploadPart(**piece) for piece in document["pieces"])
        sources = tuple(UploadSource(**source) for source in document["sources"])
        return Upload(pieces, sources, document["tags"], document["facts"])

    def _get_path(self, upload_id: str) -> Path:
        # Hashed: the id of a data set is the name the caller gave it, which may be no file name.
        return self._folder / f"{hashlib.sha256(upload_id.encode()).hexdigest()[:24]}.json"
