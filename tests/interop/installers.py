"""An installer of somebody else's writes our server for hosts whose programs cannot be had: its files beside ours.

Both write into a home folder of their own. The file is the same one, and in it the same section, in which an entry has
a command, its arguments and its environment under the same names.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.cli.hosts import jsonc
from atelier_mcp.server.cli.hosts.catalog import HOSTS
from tests.interop.environments import InstallError, prepare_node

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S: Final = 60.0
PACKAGES: Final = ("node@22", "add-mcp@2.4.0")
NAMES: Final = {
    "claude-desktop": "claude-desktop",
    "vscode": "vscode",
    "cursor": "cursor",
    "windsurf": "windsurf",
    "zed": "zed",
    "cline": "cline",
    "kiro": "kiro-cli",
}
"""Our hosts, and what the installer calls them."""
_KEYS: Final = ("command", "args", "env")


def try_installer() -> Iterator[tuple[str, str]]:
    """Each host with what differs; nothing where the two agree."""
    try:
        binaries = prepare_node("installer", PACKAGES)
    except InstallError as err:
        yield "add-mcp", str(err)
        return
    for host in HOSTS:
        if host.name not in NAMES:
            continue
        options = ("--global", "--yes", "--name", "atelier", "--env", "A=b", "--agent", NAMES[host.name])
        theirs = _write([str(binaries / "add-mcp"), "atelier serve", *options], path=f"{binaries}:{os.environ['PATH']}")
        command = [sys.executable, "-m", "atelier_mcp", "setup", host.name, "--env", "A=b"]
        yield host.name, _compare(_write(command, path=os.environ["PATH"]), theirs, host.section)


def _write(command: list[str], *, path: str) -> dict[str, Any]:
    """The documents that a command leaves in an empty home folder, by their place in it."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "HOME": folder, "PATH": path, "DO_NOT_TRACK": "1", "NO_COLOR": "1"}
        for variable in (*(host.home_variable for host in HOSTS), "XDG_CONFIG_HOME"):
            environ.pop(variable, None)
        subprocess.run(
            command,
            env=environ,
            cwd=folder,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
        )
        files = [file for file in Path(folder).rglob("*.json") if "atelier" in file.read_text("utf-8")]
        return {str(file.relative_to(folder)): jsonc.parse(file.read_text("utf-8")) for file in files}


def _compare(ours: dict[str, Any], theirs: dict[str, Any], section: tuple[str, ...]) -> str:
    if ours.keys() != theirs.keys():
        return f"ours is {', '.join(ours)}, and theirs {', '.join(theirs) or 'none'}"
    for file, document in ours.items():
        our_entry, their_entry = document, theirs[file]
        for key in (*section, "atelier"):
            if key not in their_entry:
                return f"theirs has {', '.join(their_entry)} for {key}"
            our_entry, their_entry = our_entry[key], their_entry[key]
        if different := [key for key in _KEYS if type(our_entry.get(key)) is not type(their_entry.get(key))]:
            return f"{', '.join(different)}: ours {our_entry}, theirs {their_entry}"
    return ""
