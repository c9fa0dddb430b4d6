"""Files that are either absent or complete, also when several processes write into the same folder.

A file is staged first: written under a passing name and forced to the disk. Then it gets its lasting name in one step
that the file system does wholly or not at all. A process killed at any moment leaves at worst a ``.incoming-`` file.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from atelier_mcp.server.private_files import FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Generator

LOCK_TIMEOUT_S = 30.0
"""A lock is held for a rename or two; one held longer belongs to a process that is stuck."""


@contextmanager
def hold_lock(path: Path) -> Generator[None]:
    """Hold the lock file at ``path`` against every other thread and process. Blocks: call it in a thread."""
    from filelock import FileLock

    with FileLock(path, timeout=LOCK_TIMEOUT_S, mode=FILE_MODE):
        yield


@contextmanager
def stage_file(folder: Path, data: bytes) -> Generator[Path]:
    """``data`` on the disk under a passing name in ``folder``, readable by its owner alone.

    Whoever wants to keep it moves it with ``os.replace``; otherwise it is gone at the end of the block.
    """
    descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        yield path
    finally:
        # Nothing to remove where somebody has moved it to its lasting name.
        path.unlink(missing_ok=True)


def publish_file(staged_file: Path, target: Path) -> bool:
    """Give a staged file its lasting name, unless somebody was first: then nothing changes and the answer is False.

    A hard link and not a rename, which would silently replace what another process has just put there.
    """
    try:
        os.link(staged_file, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links: the moment between the question and the move is ours to lose
        if target.exists():
            return False
        staged_file.replace(target)
    return True
