"""Files and folders that nobody else on the machine may read, change or lock: prompts, pictures, the ledger, keys.

A lock is part of it: whoever can open a lock file can hold it, and keep its owner out. POSIX alone has such modes;
elsewhere what is asked for here changes nothing.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

log: logging.Logger = logging.getLogger(__name__)

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
_OTHERS: Final = 0o077
"""What group and others may do."""


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for the owner alone; one that exists stays as it is."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=FOLDER_MODE, exist_ok=True)
    # Raises where something else than a folder has the name.
    folder.mkdir(exist_ok=True)


def open_private(path: str, flags: int) -> int:
    """An ``opener`` for ``open``: what it creates is the owner's alone."""
    return os.open(path, flags, FILE_MODE)


def write_private_bytes(path: Path, data: bytes) -> None:
    """Write a file that is the owner's alone, also where it was not before."""
    with open(path, "wb", opener=open_private) as file:  # Path.open takes no opener
        withhold(path)
        file.write(data)


def write_private_text(path: Path, text: str) -> None:
    """The same with text, as UTF-8."""
    write_private_bytes(path, text.encode())


def touch_private(path: Path) -> None:
    """Make an empty file unless there is one; either way it is the owner's alone."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
    withhold(path)


def withhold(path: Path) -> None:
    """Take a file or folder of ours from group and others; one that is somebody else's, or a link, stays as it is."""
    try:
        status = path.lstat()
        if not stat.S_ISLNK(status.st_mode) and status.st_mode & _OTHERS:
            path.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS)
    except OSError as err:
        log.warning("%s may be readable for others: %s", path, err.strerror or type(err).__name__)


def withhold_data_folder(folder: Path, names: Iterable[str]) -> None:
    """Take a data folder from group and others, with what lies in it under these names, as of an older version.

    A folder that is everybody's (``/tmp``) or the user's own home stays open: much else lies there.
    """
    known = [folder / name for name in names]
    if any(path.exists() and path.lstat().st_mode & _OTHERS for path in (folder, *known)):
        for path in known:
            for one in (path, *_walk(path)):
                if one.exists():
                    withhold(one)
    # Last: a folder that is open still shows that a sweep was broken off.
    if not folder.lstat().st_mode & stat.S_ISVTX and folder.resolve() not in _list_shared_folders():
        withhold(folder)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent) / name for name in (*folders, *files))


def _list_shared_folders() -> set[Path]:
    try:
        return {Path.home().resolve(), Path(Path.cwd().anchor)}
    except (OSError, RuntimeError):  # no home folder, or no working folder
        return set()
