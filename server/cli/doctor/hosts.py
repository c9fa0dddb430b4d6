"""The hosts on this machine: whether each knows of Atelier, and whether what it would start is there."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from atelier_mcp.server.cli.doctor.finding import Finding, build_failure
from atelier_mcp.server.cli.hosts.catalog import HOSTS
from atelier_mcp.server.cli.hosts.host_file import HostFile
from atelier_mcp.server.cli.installation import format_own_command
from atelier_mcp.server.errors import AtelierError

if TYPE_CHECKING:
    from atelier_mcp.server.cli.hosts.host import Host, Platform


def check_hosts() -> list[Finding]:
    """A finding for each host whose configuration is found; a host without any is not named."""
    return [finding for host in HOSTS if (finding := _check_host(host)) is not None]


def _check_host(host: Host) -> Finding | None:
    location = host.locate(cast("Platform", sys.platform), os.environ)
    if location is None or not Path(location).exists():
        return None
    file, remedy = HostFile(host, Path(location)), format_own_command("setup", host.name)
    try:
        command = file.find_command(file.read())
    except AtelierError as err:
        return build_failure(host.title, err)
    if command is None:
        return Finding(host.title, good=None, words=f"does not know of Atelier ({location})", remedy=remedy)
    if not command or shutil.which(command[0]) is None:
        missing = command[0] if command else "nothing"
        return Finding(host.title, good=False, words=f"would start {missing}, which is not there", remedy=remedy)
    return Finding(host.title, good=True, words=f"starts {' '.join(command)} ({location})")
