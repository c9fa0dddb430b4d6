"""The files of ``examples/clients``, one for each host, written by the code behind ``atelier setup``.

``python -m atelier_mcp.server.cli.hosts.examples [--check] examples/clients``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from atelier_mcp.server.cli.generated_files import write_or_check
from atelier_mcp.server.cli.hosts.catalog import HOSTS
from atelier_mcp.server.cli.hosts.host import ServerEntry
from atelier_mcp.server.cli.hosts.host_file import build_document

if TYPE_CHECKING:
    from atelier_mcp.server.cli.hosts.host import Host, Platform

EXAMPLE_ENTRY: Final = ServerEntry(command="atelier", args=("serve",))
PLATFORMS: Final = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}
_INTRODUCTION: Final = """# Client configurations

Each file is what `atelier setup HOST` writes where nothing was written before; `atelier setup HOST --print` prints it \
with the full path of your own `atelier`, which a host needs that does not find it by name. Keys go into `env` (or \
stand in a TOML file that `ATELIER_CONFIG` names); without any, the built-in preview engine makes the pictures.
"""


def build_files() -> dict[str, str]:
    """Every file by its name."""
    files = {name_file(host): build_document(host, EXAMPLE_ENTRY) for host in HOSTS}
    return {**files, "README.md": f"{_INTRODUCTION}\n{build_table()}\n"}


def name_file(host: Host) -> str:
    """The example's name: ``cursor.json``."""
    return f"{host.name}.{host.file_format}"


def build_table(folder: str = "") -> str:
    """Every host with its example, which lies in ``folder``, and its own file on each system."""
    rows = ["| host | example | its file | then |", "|---|---|---|---|"]
    for host in HOSTS:
        places = _format_places(host)
        if host.project_path:
            places += f"; for one project `{host.project_path}`"
        then = " ".join(part for part in (host.next_step, host.notes) if part)
        rows.append(f"| {host.title} | [{name_file(host)}]({folder}{name_file(host)}) | {places} | {then} |")
    return "\n".join(rows)


def _format_places(host: Host) -> str:
    """The file once where it is the same everywhere, else for each system."""
    if len(set(host.paths.values())) == 1:
        return f"`{next(iter(host.paths.values()))}`"
    named = [(title, host.paths.get(cast("Platform", platform))) for platform, title in PLATFORMS.items()]
    return "; ".join(f"{title} `{path}`" for title, path in named if path)


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` say which of them are out of date."""
    folder = Path(arguments[-1])
    files = {folder / name: text for name, text in build_files().items()}
    return write_or_check(arguments, files, there=folder.glob("*"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
