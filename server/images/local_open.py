"""Opening a file of this machine once, and never by way of a link: what was checked is what is read.

A path that is checked and then opened again can lead elsewhere the second time, since whoever may write into a folder
can swap a part of it for a link in between. So links are followed first, by name; then every part of the path they led
to is entered without following, and size and kind are those of the open file. Pipes and devices, which can hold up
whoever opens them, are refused before they are opened. Everything here blocks on the disk.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CAN_WALK = os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY") and hasattr(os, "O_NOFOLLOW")


class NoRegularFile(OSError):
    """A path at which a folder, a pipe or a device lies."""


def open_resolved(path: Path) -> BinaryIO:
    """The file at an absolute path in which no part is a link any more, as ``Path.resolve`` gives it.

    Raises ``NoRegularFile`` for anything but a regular file, and ``OSError`` for one that cannot be opened or for a
    part that has become a link meanwhile.
    """
    descriptor = _walk(path) if _CAN_WALK else _open_and_compare(path)
    try:
        # Once more of what is open: between the look at the name and the opening it may have become another's.
        _require_regular(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _walk(path: Path) -> int:
    """Enter one folder after the other by its name in the one before, then open the file there."""
    folder = os.open(path.anchor, _FOLDER_FLAGS)
    try:
        for name in path.parts[1:-1]:
            inner = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = inner
        name = path.name or "."
        _require_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), path)
        return os.open(name, _FILE_FLAGS, dir_fd=folder)
    finally:
        os.close(folder)


def _open_and_compare(path: Path) -> int:
    """For systems that open by whole paths alone (Windows): opened, then compared with what lies at the name."""
    _require_regular(path.lstat(), path)
    descriptor = os.open(path, _FILE_FLAGS)
    try:
        if path.resolve() != path or not os.path.samestat(os.fstat(descriptor), path.lstat()):
            raise OSError(f"{path} was changed while it was opened")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(status: os.stat_result, path: Path) -> None:
    # A link is no file that was checked, either: the path was free of them a moment ago.
    if not stat.S_ISREG(status.st_mode):
        raise NoRegularFile(f"{path} is no regular file")
