"""Data folders that can be spoilt and mended under a server that runs in a process of its own.

``surroundings`` is what the server's command is put behind, so that its folder can be spoilt.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Final, TypeAlias

SERVE: Final = (sys.executable, "-m", "atelier_mcp.server", "serve")
_DROP_DAC_OVERRIDE: Final = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""PR_CAPBSET_DROP of CAP_DAC_OVERRIDE: root, too, is then held to the modes of folders."""


class FullDisk:
    """A file system of its own of a few megabytes, filled to the last byte."""

    outlives_server: bool = False
    """The file system goes with its last process."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()
        mount = 'mount -t tmpfs -o size=6m none "$0" && exec "$@"'
        self.surroundings: tuple[str, ...] = ("unshare", "-Urm", "sh", "-c", mount, str(home))
        self.command: tuple[str, ...] = (*self.surroundings, *SERVE)

    def spoil(self, process_id: int) -> None:
        with self.find_folder(process_id).joinpath("ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                return

    def mend(self, process_id: int) -> None:
        self.find_folder(process_id).joinpath("ballast").unlink()

    def list_files(self, process_id: int) -> list[str]:
        return _list_files(self.find_folder(process_id))

    def find_folder(self, process_id: int) -> Path:
        """The folder as everybody else sees it."""
        return Path(f"/proc/{process_id}/root{self.home}")


class FilesWithoutRoom:
    """Files that may not grow by a byte, as with a quota."""

    outlives_server: bool = False
    """The limit is its process'."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.surroundings: tuple[str, ...] = ()
        self.command: tuple[str, ...] = SERVE

    def spoil(self, process_id: int) -> None:
        resource.prlimit(process_id, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def mend(self, process_id: int) -> None:
        resource.prlimit(process_id, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def find_folder(self, process_id: int) -> Path:
        """The folder as everybody else sees it."""
        del process_id
        return self.home

    def list_files(self, process_id: int) -> list[str]:
        del process_id
        return _list_files(self.home)


class ReadOnlyFolders:
    """Folders in which nothing may be created or renamed."""

    outlives_server: bool = True

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()
        self.surroundings: tuple[str, ...] = (sys.executable, "-c", _DROP_DAC_OVERRIDE)
        self.command: tuple[str, ...] = (*self.surroundings, *SERVE)

    def spoil(self, process_id: int) -> None:
        del process_id
        for folder in (self.home, *(path for path in self.home.rglob("*") if path.is_dir())):
            folder.chmod(0o500)

    def mend(self, process_id: int) -> None:
        del process_id
        for folder in (self.home, *(path for path in self.home.rglob("*") if path.is_dir())):
            folder.chmod(0o700)

    def find_folder(self, process_id: int) -> Path:
        """The folder as everybody else sees it."""
        del process_id
        return self.home

    def list_files(self, process_id: int) -> list[str]:
        del process_id
        return _list_files(self.home)


BadDisk: TypeAlias = FullDisk | FilesWithoutRoom | ReadOnlyFolders
"""A data folder that goes bad with ``spoil``, for the server of a process id, which ``command`` starts."""


def can_mount() -> bool:
    """Whether this system lets an ordinary user have a file system of their own."""
    command = ("unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/tmp")
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
