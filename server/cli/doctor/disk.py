"""What lies on the disk: the data folder, the ledger in it, and the folders that pictures are read from."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.cli.byte_sizes import format_bytes
from atelier_mcp.server.cli.doctor.finding import Finding, build_failure
from atelier_mcp.server.cli.installation import format_command, format_own_command
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.ledger_check import check_ledger, is_postgres_url
from atelier_mcp.server.local_folders import check_log_files, get_database_url
from atelier_mcp.server.web.token_file import TokenFile

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.settings import Settings

MIN_FREE_BYTES: Final = 200_000_000
"""Some fifty pictures with their previews and the ledger's growth."""


def check_disk(settings: Settings) -> list[Finding]:
    """The data folder and logs are written to, room is measured; each folder of inputs that is set is looked at."""
    roots = [_check_root(root) for root in settings.input_roots or ()]
    return [_check_home(settings.home), *_check_logs(settings), *roots]


def _check_home(home: Path) -> Finding:
    what = "data folder"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file of its own, written and taken away: permissions alone do not tell of a read-only or full disk.
        with tempfile.NamedTemporaryFile(dir=home, prefix=".doctor-") as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
        free_bytes = shutil.disk_usage(home).free
    except OSError as err:
        words = f"{home} cannot be written to: {err.strerror or err}"
        is_mended_by_rights = isinstance(err, PermissionError) and home.is_dir() and os.name != "nt"
        remedy = format_command(["chmod", "u+rwx", str(home)]) if is_mended_by_rights else ""
        return Finding(what, good=False, words=words, remedy=remedy)
    words = f"{home}, {format_bytes(free_bytes)} free"
    if free_bytes < MIN_FREE_BYTES:
        remedy = format_own_command("prune", "--older-than", "30d")
        return Finding(what, good=False, words=f"{words}: too little for pictures", remedy=remedy)
    return Finding(what, good=True, words=words)


def _check_root(root: Path) -> Finding:
    what = "ATELIER_INPUT_ROOTS"
    if not root.expanduser().is_dir():
        return Finding(what, good=False, words=f"{root} is no folder")
    return Finding(what, good=True, words=f"pictures are read from {root}")


def _check_logs(settings: Settings) -> list[Finding]:
    """A log that cannot be written; of those that can there is nothing to say."""
    try:
        check_log_files(settings)
    except AtelierError as err:
        return [build_failure("logs", err)]
    return []


def check_token_file(settings: Settings) -> list[Finding]:
    """The static tokens, where there is a file of them."""
    tokens = TokenFile(settings.home)
    if not tokens.exists():
        return []
    try:
        count = len(tokens.list_tokens())
    except AtelierError as err:
        return [build_failure("tokens", err)]
    return [Finding("tokens", good=True, words=f"{count} token{'s' * (count != 1)} for HTTP in {tokens.path}")]


def check_ledger_opens(settings: Settings) -> Finding:
    """Open the ledger and read from it, which brings its tables up to date; a file that is not there is not made."""
    what, url = "ledger", get_database_url(settings)
    try:
        path = check_ledger(url)
        if path is not None and not path.exists():
            return Finding(what, good=True, words=f"{path}, made with the first job")
        # Loaded only where there is something to open.
        from atelier_mcp.server.jobs.database import count_unfinished_jobs

        count = count_unfinished_jobs(url)
        place = path or _describe_server(url)
    except AtelierError as err:
        return build_failure(what, err)
    jobs = "job" if count == 1 else "jobs"
    return Finding(what, good=True, words=f"{place} opens, {count or 'no'} unfinished {jobs}")


def _describe_server(url: str) -> str:
    from atelier_mcp.server.jobs.postgres_connection import describe_server

    return describe_server(url)


def check_clock(settings: Settings, *, clock: Clock) -> list[Finding]:
    """How far this machine's clock is from that of a shared ledger: budgets of a day and deadlines hang on it."""
    url = get_database_url(settings)
    if not is_postgres_url(url):
        return []
    from atelier_mcp.server.jobs.ledger_clock import MAX_OFFSET_S, describe_offset
    from atelier_mcp.server.jobs.postgres_check import measure_clock_offset_s

    try:
        offset_s = measure_clock_offset_s(url, clock)
    except AtelierError:  # the ledger's own finding says so
        return []
    words = describe_offset(offset_s)
    if abs(offset_s) < MAX_OFFSET_S:
        return [Finding("clock", good=True, words=words)]
    return [Finding("clock", good=False, words=f"{words}: let both be set by NTP")]
