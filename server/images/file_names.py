"""File names as people and models write them: the same to the eye, and other characters on the disk."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAX_NAME_LENGTH = 1024
"""Longer than any name; a data URL with a picture in it is longer."""
_ADDRESS_START = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|\\\\")
MIN_LIKENESS = 0.6
"""Of the name that is offered instead of one that is not there, from 0 to 1."""


def find_alike(path: Path) -> Path:
    """The path, or the one whose folders and file differ from it in how their characters are written alone.

    The path itself where it exists, and where nothing, or more than one thing, is alike. Blocks on the disk.
    """
    # The root folder is its own parent: there the search ends.
    if path.exists() or path.parent == path:
        return path
    folder = find_alike(path.parent)
    wanted = _fold(path.name)
    alike = [name for name in _list_names(folder) if _fold(name) == wanted]
    return folder / (alike[0] if len(alike) == 1 else path.name)


def is_file_name(reference: str, folder: Path) -> bool:
    """Whether a reference is the relative name of a file that is there, though it begins like an address.

    ``data:z.png``, ``mailto:y.png`` and ``C:\\x.png`` are good names on most disks. Blocks on the disk.
    """
    if "://" in reference or len(reference) > _MAX_NAME_LENGTH or "\0" in reference:
        return False
    if not _ADDRESS_START.match(reference):
        return False
    try:
        return find_alike(folder / reference).is_file()
    except OSError:  # a part of it that is longer than the disk allows
        return False


def find_nearest_name(path: Path) -> str | None:
    """The name in the path's folder that is most like its own; None when none is like it. Blocks on the disk."""
    names = {_fold(name).casefold(): name for name in _list_names(find_alike(path.parent))}
    nearest = difflib.get_close_matches(_fold(path.name).casefold(), names, n=1, cutoff=MIN_LIKENESS)
    return names[nearest[0]] if nearest else None


def _fold(name: str) -> str:
    """The name with compatible characters, accents and spaces written in one way."""
    # NFKC joins letters and their accents, and makes a narrow or unbreakable space a plain one.
    # Marks that show nothing, as of the direction of writing, come with names from phones.
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join(visible.split())


def _list_names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
