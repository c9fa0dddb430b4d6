"""``atelier setup HOST``: write Atelier into a host's configuration, show what would be written, or take it out."""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from atelier_mcp.server.cli._client import print_json
from atelier_mcp.server.cli.hosts.catalog import HOSTS, find_host
from atelier_mcp.server.cli.hosts.host import ServerEntry
from atelier_mcp.server.cli.hosts.host_file import HostFile, build_document
from atelier_mcp.server.cli.installation import find_start_command
from atelier_mcp.server.cli.usage import UsageError
from atelier_mcp.server.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from atelier_mcp.server.cli.hosts.host import Host, Platform

NEEDS_SETTINGS = False
"""A setting that is wrong must not keep anybody from taking Atelier out of a host."""


@dataclass(frozen=True, slots=True)
class SetupOutcome:
    """What became of one host's file."""

    host: Host
    path: Path
    action: Literal["written", "removed", "unchanged", "would write", "would remove"]
    before: str = ""
    after: str = ""
    backup: Path | None = None

    def to_document(self) -> dict[str, Any]:
        """For programs."""
        document = {"host": self.host.name, "file": str(self.path), "action": self.action}
        return document | ({"backup": str(self.backup)} if self.backup else {})


@dataclass(frozen=True, slots=True)
class SetupFailure:
    """A host whose file could not be changed; nothing was."""

    host: Host
    error: ConfigurationError

    def to_document(self) -> dict[str, Any]:
        """For programs."""
        error = {"message": self.error.message, "hint": self.error.hint}
        return {
            "host": self.host.name,
            "action": "failed",
            "error": {key: value for key, value in error.items() if value},
        }


def run(arguments: argparse.Namespace) -> int:
    """Set up every host that is named, or those that a person chooses; exit 1 where one of them could not be."""
    if arguments.list:
        _print_hosts(as_json=arguments.json)
        return 0
    hosts = [_get_host(name) for name in arguments.hosts] or _ask_for_hosts()
    server = build_server_entry(arguments.env)
    if arguments.print:
        for host in hosts:
            print(build_document(host, server), end="")
        return 0
    if arguments.project:
        _check_project_paths(hosts)
    outcomes = [_try_to_set_up(host, server, arguments) for host in hosts]
    if arguments.json:
        print_json([outcome.to_document() for outcome in outcomes])
    else:
        for outcome in outcomes:
            _print_outcome(outcome)
    return 1 if any(isinstance(outcome, SetupFailure) for outcome in outcomes) else 0


def _get_host(name: str) -> Host:
    host = find_host(name.lower())
    if host is None:
        near = difflib.get_close_matches(name.lower(), [host.name for host in HOSTS], n=1)
        meant = f"Did you mean {near[0]}?" if near else f"There are {', '.join(host.name for host in HOSTS)}."
        raise UsageError(f"There is no host {name[:40]!r}.", hint=meant)
    return host


def build_server_entry(environ: list[str]) -> ServerEntry:
    """How this installation is started, with the settings that are handed on. Raises ``UsageError``."""
    env: dict[str, str] = {}
    for pair in environ:
        name, separator, value = pair.partition("=")
        if not name or (not separator and name not in os.environ):
            raise UsageError(f"--env {pair}: write NAME=VALUE, or the name of a variable that is set.")
        env[name] = value if separator else os.environ[name]
    start = find_start_command()
    return ServerEntry(command=start.command, args=start.args, env=env)


def _check_project_paths(hosts: list[Host]) -> None:
    """Raise ``UsageError`` for a host without a file of a project, before anything is written."""
    for host in hosts:
        if not host.project_path:
            raise UsageError(f"{host.title} has no file of a project: leave --project out.")


def _locate(host: Host, *, in_project: bool) -> Path:
    if in_project:
        return Path.cwd() / host.project_path
    location = host.locate(cast("Platform", sys.platform), os.environ)
    if location is None:
        raise ConfigurationError(f"{host.title} keeps no file on this system that is known: --print shows what to add.")
    return Path(location)


def _try_to_set_up(host: Host, server: ServerEntry, arguments: argparse.Namespace) -> SetupOutcome | SetupFailure:
    """What became of it: one host's broken file must hide neither what was done before it nor stop the others."""
    try:
        return _set_up(host, server, arguments)
    except ConfigurationError as err:
        return SetupFailure(host, err)


def _set_up(host: Host, server: ServerEntry, arguments: argparse.Namespace) -> SetupOutcome:
    file = HostFile(host, _locate(host, in_project=arguments.project))
    before = file.read()
    after = file.remove_entry(before) if arguments.remove else file.set_entry(before, server)
    if after == before:
        return SetupOutcome(host, file.path, "unchanged")
    if arguments.dry_run:
        return SetupOutcome(host, file.path, "would remove" if arguments.remove else "would write", before, after)
    backup = file.write(after)
    return SetupOutcome(host, file.path, "removed" if arguments.remove else "written", before, after, backup)


def _print_outcome(outcome: SetupOutcome | SetupFailure) -> None:
    if isinstance(outcome, SetupFailure):
        print(f"{outcome.host.title}: {outcome.error}", file=sys.stderr)
        return
    title, path = outcome.host.title, outcome.path
    match outcome.action:
        case "unchanged":
            print(f"{title}: nothing to change in {path}")
        case "would write" | "would remove":
            print(f"{title}: {path} would change:")
            lines = difflib.unified_diff(outcome.before.splitlines(), outcome.after.splitlines(), lineterm="", n=1)
            # Without the two lines of file names that come first.
            print("\n".join(f"  {line}" for line in list(lines)[2:]))
        case "written":
            print(f"{title}: Atelier is in {path}")
        case "removed":
            print(f"{title}: Atelier is taken out of {path}")
    if outcome.backup:
        print(f"  what was there before: {outcome.backup}")
    if outcome.action == "written" and outcome.host.next_step:
        print(f"  {outcome.host.next_step}")


def _ask_for_hosts() -> list[Host]:
    """The hosts that a person chooses from those that are found here, or from all."""
    if not sys.stdin.isatty():
        raise UsageError("Name a host.", hint=f"There are {', '.join(host.name for host in HOSTS)}.")
    offered = [host for host in HOSTS if _is_here(host)] or list(HOSTS)
    for number, host in enumerate(offered, 1):
        print(f"{number:>3}  {host.title}")
    try:
        words = input("Which? Numbers or names, with spaces between; nothing ends it: ").replace(",", " ").split()
    except EOFError:  # Ctrl-D
        print()
        words = []
    hosts = [offered[int(w) - 1] if w.isdecimal() and 0 < int(w) <= len(offered) else _get_host(w) for w in words]
    if not hosts:
        raise UsageError("No host was chosen.")
    return hosts


def _is_here(host: Host) -> bool:
    """Whether the folder of its file is there: the host has been started once."""
    location = host.locate(cast("Platform", sys.platform), os.environ)
    if location is None:
        return False
    path = Path(location)
    # A file in the home folder itself says something only if it is there.
    return path.exists() or (path.parent != Path.home() and path.parent.is_dir())


def _print_hosts(*, as_json: bool) -> None:
    if as_json:
        print_json([{"name": host.name, "title": host.title, "found": _is_here(host)} for host in HOSTS])
        return
    width = max(len(host.name) for host in HOSTS)
    for host in HOSTS:
        print(f"{'*' if _is_here(host) else ' '} {host.name:<{width}}  {host.title}")
    print("* is found on this machine")
