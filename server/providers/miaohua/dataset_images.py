"""Which picture of the library lies behind a link of a data set.

The service knows its own links only. Their signatures change with every answer, the file's name in them does not, so
that names are written down beside the handles of the pictures they were made of: one line each, ever added to.
"""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from atelier_mcp.server.addresses import get_url_path
from atelier_mcp.server.private_files import make_private_folder, open_private

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FILE_NAME: Final = "dataset_pictures.tsv"


class DatasetImages:
    """Handles by the names of one account's uploads."""

    def __init__(self, folder: Path | None) -> None:
        """Keep them in ``folder``, which need not exist yet; None forgets them with the process."""
        self._path = None if folder is None else folder / FILE_NAME
        self._handles: dict[str, str] = {}

    async def add(self, links: Sequence[str], handles: Sequence[str]) -> None:
        """Write down which handle each of these links was made of."""
        new_handles = {get_image_name(link): handle for link, handle in zip(links, handles, strict=True)}
        self._handles |= new_handles
        if self._path is not None:
            await asyncio.to_thread(_append, self._path, new_handles)

    async def load(self) -> Mapping[str, str]:
        """Every handle by its name, those that other processes wrote down too."""
        if self._path is not None:
            self._handles |= await asyncio.to_thread(_read, self._path)
        return self._handles


def get_image_name(link: str) -> str:
    """The name of the file that a link leads to."""
    return unquote(PurePosixPath(get_url_path(link)).name)


def _append(path: Path, handles: Mapping[str, str]) -> None:
    make_private_folder(path.parent)
    # In one piece: several processes may add at once.
    with open(path, "a", encoding="utf-8", opener=open_private) as file:
        file.write("".join(f"{name}\t{handle}\n" for name, handle in handles.items()))


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.partition("\t") for line in path.read_text("utf-8").splitlines())
    return {name: handle for name, _, handle in pairs if handle}
