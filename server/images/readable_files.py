"""Files of this machine that callers may have read: inside the allowed folders, found by name and opened once."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.file_names import find_alike, find_nearest_name
from atelier_mcp.server.images.local_open import NoRegularFile, open_resolved
from atelier_mcp.server.images.references import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ReadableFile:
    """A file that is open: what ``stream`` gives is what lies at ``path``, whatever is put there meanwhile."""

    path: Path
    """Where it was found, without links."""
    stream: BinaryIO
    size_bytes: int

    def read(self, max_bytes: int) -> bytes:
        """All of it. Raises ``ImageRefused`` where it has grown beyond ``max_bytes`` since it was opened."""
        data = self.stream.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise _build_too_large_error(self.path, max_bytes)
        return data


@contextmanager
def open_readable_file(path: Path, roots: Iterable[Path], *, max_bytes: int = MAX_BYTES) -> Generator[ReadableFile]:
    """The file a path leads to once links are followed, inside one of the roots. Blocks on the disk.

    Where none has that very name, the one file of the folder is meant that differs from it only in how its characters
    are written: names of screenshots have narrow spaces, and some disks store accents apart. Raises ``ImageRefused``
    when it lies outside, before saying whether it is there at all, and when it is no regular file of at most
    ``max_bytes``.
    """
    target = _find_target(path, list(roots))
    with _open_target(target, path) as stream:
        size_bytes = os.fstat(stream.fileno()).st_size
        if size_bytes > max_bytes:
            raise _build_too_large_error(path, max_bytes)
        yield ReadableFile(target, stream, size_bytes)


def _find_target(path: Path, roots: list[Path]) -> Path:
    target = path
    try:
        target = _resolve_inside(path, roots)
        if not target.exists():
            # Checked like the first one: a name that is alike may be a link that leads outside.
            target = _resolve_inside(find_alike(target), roots)
        target.lstat()
    except FileNotFoundError as err:
        nearest = find_nearest_name(target)
        hint = f"Did you mean {nearest}?" if nearest else "Check the path."
        raise ImageRefused(f"There is no file {path}.", hint=hint) from err
    # ValueError: characters that no file name can have.
    except (OSError, RuntimeError, ValueError) as err:
        raise _build_unreadable_error(path) from err
    return target


def _open_target(target: Path, path: Path) -> BinaryIO:
    try:
        return open_resolved(target)
    except NoRegularFile as err:
        raise ImageRefused(f"{path} is not a file.", hint="Give the path of a picture.") from err
    except OSError as err:
        raise _build_unreadable_error(path) from err


def _resolve_inside(path: Path, roots: list[Path]) -> Path:
    target = path.resolve()
    if not any(target.is_relative_to(root.resolve()) for root in roots):
        raise ImageRefused(
            f"{path} lies outside the folders pictures may be read from: {', '.join(map(str, roots)) or 'none'}.",
            hint="Copy it there, or add its folder to ATELIER_INPUT_ROOTS.",
        )
    return target


def _build_unreadable_error(path: Path) -> ImageRefused:
    return ImageRefused(f"{path} cannot be read.", hint="Check the path and its permissions.")


def _build_too_large_error(path: Path, max_bytes: int) -> ImageRefused:
    return ImageRefused(f"{path} has more than {max_bytes // 1_000_000} MB.", hint="Give a smaller picture.")
