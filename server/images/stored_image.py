"""A stored picture, and the JSON that a store keeps beside it: its record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.images.formats import SUFFIXES
from atelier_mcp.server.images.handles import ImageHandle
from atelier_mcp.server.images.provenance import parse_provenance, provenance_to_document

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.images.provenance import Provenance


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One stored picture. Width and height in pixels, upright."""

    handle: ImageHandle
    media_type: str
    width: int
    height: int
    size_bytes: int
    created_at: datetime
    provenance: Provenance
    """How it came to be."""
    library: str = ""
    """The key of the library that it lies in."""
    path: Path | None = None
    """Its file, where the store is a folder of this machine."""

    @property
    def name(self) -> str:
        """What its file is called: ``img_k3v7q2m4x5a6b7c2.png``."""
        return f"{self.handle}{SUFFIXES[self.media_type]}"


def encode_record(image: StoredImage) -> bytes:
    """The record of a picture. Keys are never renamed: records of earlier versions stay as they are."""
    document: dict[str, Any] = {
        "file": image.name,
        "media_type": image.media_type,
        "width": image.width,
        "height": image.height,
        "size_bytes": image.size_bytes,
        "created_at": image.created_at.isoformat(),
        "made": provenance_to_document(image.provenance),
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode()


def decode_record(handle: str, record: bytes, *, library: str, folder: Path | None = None) -> StoredImage | None:
    """The picture that a record tells of, its file in ``folder``; None where the record is none of ours."""
    try:
        metadata = json.loads(record)
        return StoredImage(
            handle=ImageHandle(handle),
            media_type=metadata["media_type"],
            width=int(metadata["width"]),
            height=int(metadata["height"]),
            size_bytes=int(metadata["size_bytes"]),
            created_at=datetime.fromisoformat(metadata["created_at"]),
            provenance=parse_provenance(metadata.get("made")),
            library=library,
            path=None if folder is None else folder / f"{handle}{SUFFIXES[metadata['media_type']]}",
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def read_record_file(path: Path, library: str) -> StoredImage | None:
    """The picture a JSON tells of; None where it or the picture's file is not there, or it is none of ours. Blocks."""
    try:
        record = path.read_bytes()
    except FileNotFoundError:
        return None
    stored = decode_record(path.stem, record, library=library, folder=path.parent)
    return stored if stored is not None and stored.path is not None and stored.path.exists() else None
