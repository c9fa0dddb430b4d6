"""What is known of one host: its file on each system, the place in it, and the shape of an entry."""

from __future__ import annotations

import ntpath
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Platform: TypeAlias = Literal["linux", "darwin", "win32"]
"""As ``sys.platform`` says it."""
FileFormat: TypeAlias = Literal["json", "toml", "yaml"]
"""``json`` may hold comments and commas before a closing bracket, as editors write it."""

ENTRY_NAME: Final = "atelier"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEntry:
    """What a host must know to start the server."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict[str, str])


Entry: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host. Paths are written with ``/``, ``~`` for the home folder and ``%NAME%`` for a variable."""

    name: str
    title: str
    paths: Mapping[Platform, str]
    """The file that holds for this user; a system that is not in it is not served by the host."""
    section: tuple[str, ...]
    """The keys that lead to the servers."""
    build_entry: Callable[[ServerEntry], Entry]
    file_format: FileFormat = "json"
    is_list: bool = False
    """Whether the servers are a list, in which each has a ``name``, instead of an object by name."""
    new_file: str = ""
    """What a file must begin with that is made new."""
    project_path: str = ""
    """The file that holds for one project, from its folder, where the host has one."""
    other_name: str = ""
    """Another name of the file, in the same folder, where the host reads one; used where only that one is there."""
    home_variable: str = ""
    """The variable that names the folder of the file, where one does."""
    next_step: str = ""
    """What the person does then."""
    notes: str = ""
    """What else is to be known, for the documentation."""

    def locate(self, platform: Platform, environ: Mapping[str, str]) -> str | None:
        """The file's path on such a system; None where the host is not there or a variable is missing."""
        template = self.paths.get(platform)
        if template is None:
            return None
        path = ntpath if platform == "win32" else posixpath
        if self.home_variable and (folder := environ.get(self.home_variable)):
            return path.join(folder, posixpath.basename(template))
        home = environ.get("USERPROFILE" if platform == "win32" else "HOME", "")
        folders = {"%APPDATA%": environ.get("APPDATA", ""), "~": home}
        # As the freedesktop.org base directories have it: a path that is not absolute is no place.
        if platform == "linux" and posixpath.isabs(config := environ.get("XDG_CONFIG_HOME", "")):
            folders = {"~/.config": config, **folders}
        for name, value in folders.items():
            if template.startswith(name):
                return path.normpath(value + template.removeprefix(name)) if value else None
        return None
