"""The files of a data set as the services want them told: pictures, and captions beside them."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

CAPTION_SUFFIX: Final = ".txt"


def build_content(files: Sequence[str]) -> list[dict[str, Any]]:
    """The entries for files by these names; ``params`` is wanted in each (contract: routes)."""
    # Uploads go by `filename`, previews by `name`: one value for both (contract: create_dataset.name_vs_filename).
    return [{"filename": file, "name": file, "type": _get_type(file), "params": {}} for file in files]


def name_caption(file: str) -> str:
    """The caption file of a picture, by which the trainer finds it: the same name with another ending."""
    return PurePath(file).stem + CAPTION_SUFFIX


def make_distinct(files: Sequence[str]) -> list[str]:
    """Names that differ, also without their endings: a file whose name is taken gets its number in front."""
    seen: set[str] = set()
    result: list[str] = []
    for number, file in enumerate(files, 1):
        # Compared by the caption's name: a.png and a.jpg would share a.txt, and one would lose its caption.
        name = file if name_caption(file) not in seen else f"{number}-{file}"
        seen.add(name_caption(name))
        result.append(name)
    return result


def _get_type(file: str) -> str:
    return "txt" if file.endswith(CAPTION_SUFFIX) else "image"
