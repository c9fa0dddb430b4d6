"""Whether the committed pages were built from the committed sources: by a hash, without Node."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.views import pages

if TYPE_CHECKING:
    from pathlib import Path

PAGES: Final = ("studio", "gallery")
SOURCE: Final = pages.FOLDER / "source"
_SOURCE_NAMES: Final = re.compile(r".*\.(tsx?|css|mjs|json)")
_BUILT_FROM: Final = re.compile(r"<!-- built by source/build\.mjs from ([0-9a-f]{64}) -->")


def find_built_hash(html: str) -> str | None:
    """The hash of the sources a page says it was built from."""
    found = _BUILT_FROM.search(html)
    return found[1] if found else None


def compute_source_hash(source: Path = SOURCE) -> str:
    """The hash of everything a page is built from, as ``build.mjs`` computes it: whatever the line ends."""
    digest = hashlib.sha256()
    for path in sorted(source.iterdir()):
        if path.is_file() and _SOURCE_NAMES.fullmatch(path.name):
            text = path.read_bytes().decode().replace("\r\n", "\n")
            digest.update(f"{path.name}\0{text}\0".encode())
    return digest.hexdigest()
