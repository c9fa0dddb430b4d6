"""Where the program may find itself: without a home, in a deleted folder, in the root, before a broken ledger."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.database import open_database
from atelier_mcp.server.jobs.ledger_check import check_ledger
from atelier_mcp.server.local_folders import resolve_input_roots
from atelier_mcp.server.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

BOUND_S = 90


def run_atelier(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "atelier_mcp.server", *arguments],
        env={**os.environ, **environ},
        input="",
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )


def make_newer_ledger(path: Path) -> None:
    open_database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE schema_version SET version = 999, oldest_reader = 999")
        connection.commit()


def make_damaged_ledger(path: Path) -> None:
    path.write_bytes(b"no database, but long enough to be looked at twice " * 100)


def make_torn_ledger(path: Path) -> None:
    """Its first page is sound, and with it the list of its tables."""
    open_database(path).close()
    with path.open("r+b") as file:
        page_size = int.from_bytes(file.read(18)[16:], "big")
        file.seek(page_size)
        file.write(b"\xa5" * (path.stat().st_size - page_size))


def make_strange_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE jobs (title TEXT)")
        connection.commit()


def test_a_setting_that_does_nothing_alone_is_said_at_the_start(tmp_path: Path) -> None:
    """It stops nobody: the rest works as it is set."""
    done = run_atelier("serve", ATELIER_HOME=str(tmp_path), MHAPI_BASE_URL="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (0, "")
    assert "MHAPI_BASE_URL has no effect without MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY." in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_demo_whose_server_ends_says_so_below_the_servers_own_words(tmp_path: Path) -> None:
    make_damaged_ledger(tmp_path / "ledger.sqlite3")
    done = run_atelier("demo", "--out", str(tmp_path / "pictures"), ATELIER_HOME=str(tmp_path))
    reason, ended = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be opened: file is not a database" in reason
    assert ended == "The demo's server has ended; if it said why, that stands above."


@pytest.mark.parametrize("command", [("serve",), ("jobs",)])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_damaged_ledger, "cannot be opened: file is not a database"),
        (make_newer_ledger, "by a newer Atelier"),
        (make_torn_ledger, "cannot be opened: database disk image is malformed"),
        (make_strange_database, "cannot be opened: it holds the tables of another program"),
    ],
)
def test_a_ledger_that_cannot_be_opened_ends_the_program_at_its_start(
    tmp_path: Path, command: tuple[str, ...], make: Callable[[Path], None], words: str
) -> None:
    """In words and with exit code 1, before anything is polled; no traceback."""
    make(tmp_path / "ledger.sqlite3")
    done = run_atelier(*command, ATELIER_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://localhost/atelier", "a SQLite file or a PostgreSQL"),
        ("sqlite://", "a SQLite file or a PostgreSQL"),
        ("sqlite:////dev/null/ledger.sqlite3", "cannot be opened"),
        ("sqlite:////dev", "cannot be opened"),
        ("sqlite:////proc/ledger.sqlite3", "cannot be opened"),
        ("sqlite:////proc/no/such/ledger.sqlite3", "cannot be opened"),
    ],
)
def test_a_place_for_the_ledger_that_cannot_be_is_named(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        check_ledger(url)


def test_a_setting_that_is_no_database_url_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ATELIER_DATABASE_URL: write sqlite:///PATH"):
        load_settings({"ATELIER_DATABASE_URL": "ledger.db"})


def test_a_sound_ledger_or_none_yet_is_no_fault(tmp_path: Path) -> None:
    """Looking makes nothing."""
    open_database(tmp_path / "old.sqlite3").close()
    assert check_ledger(f"sqlite:///{tmp_path / 'old.sqlite3'}") == tmp_path / "old.sqlite3"
    path = tmp_path / "new" / "ledger.sqlite3"
    assert check_ledger(f"sqlite:///{path}") == path
    assert not path.parent.exists()


def test_the_doctor_finds_the_ledger(tmp_path: Path) -> None:
    """Good and bad."""
    make_damaged_ledger(tmp_path / "ledger.sqlite3")
    done = run_atelier("doctor", "--json", ATELIER_HOME=str(tmp_path))
    (finding,) = [entry for entry in json.loads(done.stdout) if entry["what"] == "ledger"]
    assert finding["good"] is False
    assert "file is not a database" in finding["words"]
    assert done.returncode == 1


def test_a_working_folder_that_is_gone_is_not_missed(tmp_path: Path) -> None:
    """Some hosts start their servers in folders that they delete."""
    folder = tmp_path / "gone"
    folder.mkdir()
    script = (
        "import os, sys; os.rmdir(os.getcwd()); sys.argv[1:] = ['jobs'];"
        "from atelier_mcp.server.__main__ import main; sys.exit(main())"
    )
    environ = {**os.environ, "ATELIER_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "There are no such jobs." in done.stdout


def test_a_user_without_a_home_is_told_in_one_sentence_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with a made-up user id."""
    for variable in ("HOME", "XDG_DATA_HOME", "USERPROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_001)
    with pytest.raises(ConfigurationError, match="set ATELIER_HOME"):
        load_settings({})
    settings = load_settings({"ATELIER_HOME": "/srv/atelier"})
    assert Path("/srv/atelier") in resolve_input_roots(settings, None)


def test_the_root_of_the_disk_is_no_input_root_unless_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services are started there, and some users live there."""
    monkeypatch.setenv("HOME", "/")
    settings = load_settings({"ATELIER_HOME": str(tmp_path)})
    assert Path("/") not in resolve_input_roots(settings, Path("/"))
    assert tmp_path in resolve_input_roots(settings, Path("/"))
    asked = load_settings({"ATELIER_HOME": str(tmp_path), "ATELIER_INPUT_ROOTS": "/"})
    assert resolve_input_roots(asked, Path("/")) == (Path("/"),)


def test_a_terminal_that_lacks_a_letter_gets_a_question_mark(tmp_path: Path) -> None:
    """And a program that reads JSON loses nothing."""
    environ = {"ATELIER_HOME": str(tmp_path), "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = run_atelier("call", "generate_image", "prompt=红色的风筝", "width=640", "height=640", **environ)
    assert done.returncode == 0, done.stderr
    listed = run_atelier("jobs", **environ)
    assert (listed.returncode, "?????" in listed.stdout) == (0, True), listed.stderr
    as_json = run_atelier("jobs", "--json", **environ)
    assert json.loads(as_json.stdout)["jobs"][0]["request"]["prompt"] == "红色的风筝"
