"""Whose pictures lie in which folder of a data folder.

The library of whoever uses this machine lies at the top; those of others under a hash of their names, which may hold
anything.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.principals import LOCAL_NAME

if TYPE_CHECKING:
    from pathlib import Path

LIBRARIES: Final = "principals"
"""The folder of the libraries of those who come in by a token of their own."""
_KEY: Final = re.compile(r"[0-9a-f]{32}")
_FORMER_NAME: Final = re.compile(r"http:[0-9a-f]{12}")
"""So earlier versions named whoever came over HTTP, the operator's own token in hand."""


def get_library_key(owner: str) -> str:
    """The key of a principal's library; empty for whoever uses this machine."""
    if owner == LOCAL_NAME or _FORMER_NAME.fullmatch(owner):
        return ""
    return hashlib.sha256(owner.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def is_library_key(text: str) -> bool:
    """True for what ``get_library_key`` may give."""
    return not text or _KEY.fullmatch(text) is not None


def list_library_keys(root: Path) -> list[str]:
    """The keys of the libraries in a data folder, that of whoever uses this machine first."""
    try:
        names = sorted(entry.name for entry in (root / LIBRARIES).iterdir())
    except OSError:
        names = []
    return ["", *(name for name in names if _KEY.fullmatch(name))]
