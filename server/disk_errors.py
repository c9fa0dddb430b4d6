"""Trouble with the disk, in words for whoever reads an answer."""

from __future__ import annotations

import errno
from typing import Final

_REASONS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "a file or folder may not be written or read",
    errno.EPERM: "a file or folder may not be written or read",
    errno.EISDIR: "a folder is where a file should be",
    errno.ENOTDIR: "a file is where a folder should be",
    errno.EEXIST: "something else is where a folder should be",
    errno.EIO: "the disk reports an error",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


def explain_disk_error(error: OSError) -> str:
    """Why the server's own files cannot be used, without a path, as none leaves over HTTP; empty for other trouble."""
    return _REASONS.get(error.errno or 0, "")
