"""Files of this machine that a caller hands on as they are: found, allowed, and of the kind they are handed on as."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.formats import check_image_file
from atelier_mcp.server.images.handles import parse_handle
from atelier_mcp.server.images.model_files import check_model_file
from atelier_mcp.server.images.readable_files import open_readable_file
from atelier_mcp.server.images.references import find_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from atelier_mcp.server.images.store import ImageStore

MAX_BYTES = 64_000_000_000
"""Larger than any model file there is."""


class LocalFiles:
    """The files that callers over stdio may name."""

    def __init__(
        self, store: ImageStore, *, data_folder: Path, input_roots: tuple[Path, ...] | None, cwd: Path | None = None
    ) -> None:
        """``input_roots`` are the folders paths may lead into; None where callers are not on this machine.

        Nothing of ``data_folder``, our own, is handed on but the pictures of the store.
        """
        self._store = store
        self._data_folder = data_folder
        self._input_roots = input_roots
        self._cwd = cwd or Path.cwd()

    def for_store(self, store: ImageStore) -> LocalFiles:
        """The same with the pictures of another store."""
        return LocalFiles(store, data_folder=self._data_folder, input_roots=self._input_roots, cwd=self._cwd)

    async def find_model(self, reference: str) -> Path:
        """The model file behind a path. Raises ``ImageRefused`` when there is none, or it may not be handed on."""
        return await asyncio.to_thread(self._find, reference.strip(), check_model_file)

    async def find_image(self, reference: str) -> Path:
        """The picture behind a path or a handle. Raises ``ImageRefused`` as ``find_model`` does."""
        reference = reference.strip()
        if reference.startswith(("img_", "atelier://")) and (parse_handle(reference) or not Path(reference).suffix):
            return (await self._store.find(parse_handle(reference) or reference)).path
        return await asyncio.to_thread(self._find, reference, check_image_file)

    def _find(self, reference: str, check: Callable[[Path, BinaryIO], None]) -> Path:
        if self._input_roots is None:
            raise ImageRefused(
                "Local files can be read only when the server runs on the caller's own machine, over stdio.",
                hint="Give a picture's handle, or links where the service fetches files itself.",
            )
        roots = (*self._input_roots, self._store.folder)
        with open_readable_file(find_path(reference, self._cwd), roots, max_bytes=MAX_BYTES) as file:
            if not file.path.is_relative_to(self._store.folder.resolve()):
                self._refuse_private_place(file.path)
            check(file.path, file.stream)
            return file.path

    def _refuse_private_place(self, path: Path) -> None:
        """Keys, browser profiles and other programs' data lie in hidden folders; our own data lies in ours."""
        if any(part.startswith(".") for part in path.parts):
            raise ImageRefused(
                f"{path} lies in a hidden folder, from which nothing is uploaded.",
                hint="Copy the file into a folder whose name does not begin with a dot.",
            )
        if path.is_relative_to(self._data_folder.resolve()):
            raise ImageRefused(f"{path} is a file of Atelier's own, and is not uploaded.", hint="Give another file.")
