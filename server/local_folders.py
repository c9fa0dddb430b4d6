"""Where things lie on this machine: the data folder and what is in it, the ledger, the folders of a user's pictures."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.private_files import make_private_folder, open_private, withhold_data_folder

if TYPE_CHECKING:
    from atelier_mcp.server.settings import Settings

AUDIT_NAME = "audit.jsonl"
DATA_NAMES = (
    AUDIT_NAME, "cache", "emulator", "images", "locks", "principals", "signing.key", "signing.key.lock",
    "tokens.json", "tokens.json.lock",
)  # fmt: skip
"""What lies in the data folder beside the ledger, which sees to itself, and a folder for each provider."""


def create_home(settings: Settings) -> None:
    """Make the data folder, its user's alone. Raises ``ConfigurationError`` where that cannot be."""
    try:
        make_private_folder(settings.home)
        withhold_data_folder(settings.home, [*DATA_NAMES, *(p.spec.name for p in settings.installed_providers)])
    except OSError as err:
        raise ConfigurationError(
            f"ATELIER_HOME: {settings.home} cannot be made.", hint="Name a folder that this user may write to."
        ) from err


def check_log_files(settings: Settings) -> None:
    """Raise ``ConfigurationError`` for a log file that is set and cannot be written; one that is missing is made."""
    files = {"ATELIER_AUDIT_LOG": settings.audit_log, "ATELIER_EMULATOR_ACCESS_LOG": settings.emulator_access_log}
    for variable, path in files.items():
        if path is None:
            continue
        try:
            make_private_folder(path.parent)
            with open(path, "ab", opener=open_private):  # Path.open takes no opener
                pass
        except OSError as err:
            raise ConfigurationError(
                f"{variable}: {path} cannot be written: {err.strerror or err}.",
                hint="Name a file that this user may write to.",
            ) from err


def get_database_url(settings: Settings) -> str:
    """Where the ledger lies: as set, or a SQLite file in the data folder."""
    return settings.database_url or f"sqlite:///{settings.home / 'ledger.sqlite3'}"


def resolve_input_roots(settings: Settings, cwd: Path | None) -> tuple[Path, ...]:
    """The folders local pictures may come from: as set, also to none, or where a user's own pictures are.

    Each of those may be missing; the root of the disk, where services are often started, is none of them.
    """
    if settings.input_roots is not None:
        return settings.input_roots
    folders = (_find_user_folder(), cwd, _find_temporary_folder(), settings.home)
    return tuple(folder for folder in folders if folder is not None and folder.resolve() != Path(folder.anchor))


def find_working_folder() -> Path | None:
    """The folder this process was started in, unless it has been deleted."""
    try:
        return Path.cwd()
    except OSError:
        return None


def _find_user_folder() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # neither HOME nor an entry for the user id
        return None


def _find_temporary_folder() -> Path | None:
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return None
