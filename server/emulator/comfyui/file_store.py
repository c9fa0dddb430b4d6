"""The folders ``input``, ``output`` and ``temp``: files stay in them when queue and history are forgotten."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.comfyui.errors import ComfyuiHttpError, build_error_body

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDERS: Final = ("input", "output", "temp")
_FOLDER_NOTE: Final = re.compile(r" \[(input|output|temp)\]$")


class FileStore:
    """The files of one server. Its methods block."""

    def __init__(self, locate: Callable[[], Path]) -> None:
        """``locate`` tells the folder, which is not yet there when the store is made."""
        self._locate = locate

    def get_path(self, folder: str, subfolder: str, name: str) -> Path:
        """Where a file lies; raises ComfyuiHttpError for a place outside of the folder (contract: errors.403)."""
        if folder not in FOLDERS:
            raise ComfyuiHttpError(400, build_error_body(400))
        root = (self._locate() / "comfyui" / folder).resolve()
        path = (root / subfolder / name).resolve()
        if name in ("", ".", "..") or "/" in name or "\\" in name or not path.is_relative_to(root):
            raise ComfyuiHttpError(403, build_error_body(403))
        return path

    def read(self, folder: str, subfolder: str, name: str) -> bytes:
        """A file's bytes; raises ComfyuiHttpError for one there is not (contract: errors.404)."""
        path = self.get_path(folder, subfolder, name)
        if not path.is_file():
            raise ComfyuiHttpError(404, build_error_body(404))
        return path.read_bytes()

    def write(self, folder: str, subfolder: str, name: str, data: bytes, *, overwrite: bool) -> str:
        """Keep a file; answers its name, which is another one where the name is taken by other bytes.

        (contract: upload.image)
        """
        path = self.get_path(folder, subfolder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        number, free_path = 1, path
        while not overwrite and free_path.exists() and free_path.read_bytes() != data:
            free_path = path.with_name(f"{path.stem} ({number}){path.suffix}")
            number += 1
        free_path.write_bytes(data)
        return free_path.name

    def write_numbered(self, folder: str, prefix: str, data: bytes) -> tuple[str, str]:
        """Keep a picture under the next number of its prefix; answers name and subfolder."""
        subfolder, _, stem = prefix.rpartition("/")
        parent = self.get_path(folder, subfolder, "x").parent
        parent.mkdir(parents=True, exist_ok=True)
        pattern = re.compile(rf"{re.escape(stem)}_(\d+)_")
        taken = [int(found[1]) for path in parent.iterdir() if (found := pattern.match(path.name))]
        name = f"{stem}_{max(taken, default=0) + 1:05}_.png"
        (parent / name).write_bytes(data)
        return name, subfolder

    def read_input(self, annotated_name: str) -> bytes:
        """What ``LoadImage`` names: a file below ``input``, or of the folder in brackets behind it."""
        folder, subfolder, name = _split(annotated_name)
        return self.read(folder, subfolder, name)

    def has_input(self, annotated_name: Any) -> bool:
        """Whether there is such a file."""
        try:
            return isinstance(annotated_name, str) and self.get_path(*_split(annotated_name)).is_file()
        except ComfyuiHttpError:
            return False

    def list_inputs(self) -> tuple[str, ...]:
        """The files at the top of ``input``."""
        root = self._locate() / "comfyui" / "input"
        return tuple(sorted(path.name for path in root.iterdir() if path.is_file())) if root.is_dir() else ()


def _split(annotated_name: str) -> tuple[str, str, str]:
    """Folder, subfolder and name."""
    noted = _FOLDER_NOTE.search(annotated_name)
    subfolder, _, name = _FOLDER_NOTE.sub("", annotated_name).rpartition("/")
    return noted[1] if noted else "input", subfolder, name
