"""A real PgBouncer on loopback, where one is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.replica_topology import find_free_port

if TYPE_CHECKING:
    from collections.abc import Generator

PGBOUNCER: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
START_BOUND_S: Final = 30.0
CONFIGURATION: Final = """[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {pool_mode}
default_pool_size = 20
logfile = {folder}/log
"""


@contextmanager
def run_pgbouncer(server_port: int, *, pool_mode: str) -> Generator[int]:
    """The port of a pooler before the PostgreSQL at ``server_port``."""
    assert PGBOUNCER is not None
    with tempfile.TemporaryDirectory(prefix="atelier-pgbouncer-") as name:
        folder, port = Path(name), find_free_port()
        folder.chmod(0o777)  # it refuses to be root, and writes its log as nobody
        (folder / "users").write_text('"postgres" ""\n')
        text = CONFIGURATION.format(server_port=server_port, port=port, folder=folder, pool_mode=pool_mode)
        (folder / "pgbouncer.ini").write_text(text)
        command = [PGBOUNCER, "-q", str(folder / "pgbouncer.ini")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/", **_as_nobody()) as process:
            try:
                end_s = time.monotonic() + START_BOUND_S
                while not _is_listened_at(port):
                    assert process.poll() is None, "PgBouncer did not start"
                    assert time.monotonic() < end_s, "PgBouncer did not start in time"
                    time.sleep(0.02)
                yield port
            finally:
                process.terminate()


def _as_nobody() -> dict[str, Any]:
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    import pwd

    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


def _is_listened_at(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
