"""File names as people and models write them: the same to the eye, and other characters on the disk."""

from __future__ import annotations

import difflib
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MIN_LIKENESS = 0.6
"""Of the name that is offered instead of one that is not there, from 0 to 1."""


def find_alike(path: Path) -> Path:
    """The path, or the one whose folders and file differ from it in how their characters are written alone.

    The path itself where it exists, and where nothing, or more than one thing, is alike. Blocks on the disk.
    """
    if path.exists() or path.parent == path:
        return path
    folder = find_alike(path.parent)
    wanted = _fold(path.name)
    alike = [name for name in _list_names(folder) if _fold(name) == wanted]
    return folder / (alike[0] if len(alike) == 1 else path.name)


def find_nearest_name(path: Path) -> str | None:
    """The name in the path's folder that is most like its own; None when none is like it. Blocks on the disk."""
    names = {_fold(name).casefold(): name for name in _list_names(find_alike(path.parent))}
    nearest = difflib.get_close_matches(_fold(path.name).casefold(), names, n=1, cutoff=MIN_LIKENESS)
    return names[nearest[0]] if nearest else None


def _fold(name: str) -> str:
    """The name with compatible characters, accents and spaces written in one way."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def _list_names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
