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
from atelier_mcp.server.images.download import redact_url

if TYPE_CHECKING:
    from atelier_mcp.server.cli.hosts.host import Host, Platform


def check_hosts() -> list[Finding]:
    """A finding for each host whose configuration is found; a host without any is not named."""
    return [finding for host in HOSTS if (finding := _check_host(host)) is not None]


def _check_host(host: Host) -> Finding | None:
    location = host.locate(cast("Platform", sys.platform), os.environ)
    if location is None:
        return None
    file, remedy = HostFile(host, Path(location)), format_own_command("setup", host.name)
    if not file.path.exists():
        return None
    try:
        entry = file.find_entry(file.read())
    except AtelierError as err:
        return build_failure(host.title, err)
    if entry is None:
        return Finding(host.title, good=None, words=f"does not know of Atelier ({file.path})", remedy=remedy)
    if entry.is_switched_off:
        return Finding(host.title, good=None, words=f"has Atelier switched off ({file.path})")
    if entry.address:
        return Finding(host.title, good=True, words=f"asks {redact_url(entry.address)} ({file.path})")
    if not entry.command:
        return Finding(host.title, good=False, words=f"has an entry without a command ({file.path})", remedy=remedy)
    if shutil.which(entry.command[0]) is None:
        words = f"would start {entry.command[0]}, which is not there"
        return Finding(host.title, good=False, words=words, remedy=remedy)
    return Finding(host.title, good=True, words=f"starts {' '.join(entry.command)} ({file.path})")
