"""Trouble with the disk, in words for whoever reads an answer."""

from __future__ import annotations

import errno
from typing import Final, cast

_REASONS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not grow any more",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "a file or folder may not be written or read",
    errno.EPERM: "a file or folder may not be written or read",
    errno.EISDIR: "a folder is where a file should be",
    errno.ENOTDIR: "a file is where a folder should be",
    errno.EEXIST: "something else is where a folder should be",
    errno.ENAMETOOLONG: "the path of a file is too long",
    errno.ELOOP: "a link leads back to itself",
    errno.EIO: "the disk reports an error",
    errno.ESTALE: "a network folder has gone away",
    errno.ENOLCK: "files cannot be locked",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


def explain_disk_error(error: Exception) -> str:
    """Why the server's own files cannot be used, without a path, as none leaves over HTTP; empty for other trouble.

    Of a group, as of pictures that are stored at once, the first reason, unless there is other trouble in it.
    """
    if isinstance(error, ExceptionGroup):
        reasons = [explain_disk_error(one) for one in cast("ExceptionGroup[Exception]", error).exceptions]
        return reasons[0] if all(reasons) else ""
    return _REASONS.get(error.errno or 0, "") if isinstance(error, OSError) else ""
