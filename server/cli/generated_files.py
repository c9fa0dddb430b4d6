"""Files that are made from the code: written, or compared with those that are there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


def write_or_check(arguments: Sequence[str], files: Mapping[Path, str], *, there: Iterable[Path] = ()) -> int:
    """Write the files, or with ``--check`` among the arguments name those that differ; returns the exit code.

    Of the files that are ``there``, one that nothing is made for any more differs, too.
    """
    if "--check" not in arguments:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return 0
    outdated = sorted(path for path in {*files, *there} if _read(path) != files.get(path))
    for path in outdated:
        print(f"{path} is out of date: run make docs", file=sys.stderr)
    return 1 if outdated else 0


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None
