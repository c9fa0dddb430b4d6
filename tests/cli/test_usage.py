"""Every wrong option is one line and exit 2; what ends a command is told without a traceback."""

from __future__ import annotations

import socket
import stat
from importlib import util
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Atelier


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("frob",), "invalid choice: 'frob'"),
        (("docter",), "Did you mean doctor?"),
        (("--frob",), "--frob is no option before a command"),
        (("--http",), "--http is no option before a command"),
        (("serve", "--port", "9000"), "Add --http"),
        (("serve", "--host", "127.0.0.1"), "Add --http"),
        (("serve", "--http", "--port", "99999"), "99999 is not a port"),
        (("serve", "--http", "--port", "-1"), "-1 is not a port"),
        (("serve", "--http", "--port", "http"), "http is not a port"),
        (("serve", "--http", "--host", ""), "--host: it is empty"),
        (("emulator", "--port", "70000"), "70000 is not a port"),
        (("emulator", "--task-seconds", "-5"), "-5 is not a number of seconds"),
        (("emulator", "--task-seconds", "nan"), "nan is not a number of seconds"),
        (("emulator", "--access-log", "/nowhere/log"), "/nowhere/log cannot be written"),
        (("emulator", "--set", "sd_aws.version=2.0"), "--set"),
        (("emulator", "--set", "nonsense"), "--set"),
        (("jobs", "--limit", "many"), "many is not a number"),
        (("jobs", "--offset", "-1"), "-1 is not a number from 0."),
        (("jobs", "--state", "done"), "invalid choice: 'done'"),
        (("completion", "cmd"), "invalid choice: 'cmd'"),
        (("prune", "--older-than", "soon"), "soon is no age"),
        (("prune", "--max-size", "much"), "much is no size"),
        (("prune",), "Say what is old"),
        (("setup", "emacs"), "emacs"),
        (("doctor", "--frob"), "atelier doctor: unrecognized arguments: --frob. atelier doctor --help"),
    ],
)
def test_wrong_options_are_one_line_and_exit_2(atelier: Atelier, argv: tuple[str, ...], words: str) -> None:
    outcome = atelier(*argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("argv", [("demo", "--out"), ("emulator", "--state")])
def test_a_file_in_the_place_of_a_folder_is_refused(atelier: Atelier, tmp_path: Path, argv: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        outcome = atelier(*argv, str(path))
        assert (outcome.code, len(outcome.err.splitlines())) == (2, 1), outcome.err


def test_an_address_that_cannot_be_had_is_told(atelier: Atelier) -> None:
    """With the option that has to change."""
    outcome = atelier("emulator", "--host", "192.0.2.1", "--port", "9")
    assert outcome.code == 1
    assert outcome.err.startswith("Cannot listen on 192.0.2.1 port 9")
    assert outcome.err.endswith("Choose another with --host.\n")


def test_a_port_that_is_taken_is_told(atelier: Atelier) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for argv in (("emulator",), ("serve", "--http")):
            outcome = atelier(*argv, "--port", port)
            assert outcome.code == 1
            assert outcome.err.startswith(f"Cannot listen on 127.0.0.1 port {port}")
            assert outcome.err.endswith("Choose another with --port.\n")


@pytest.mark.parametrize("variable", ["ATELIER_AUDIT_LOG", "ATELIER_EMULATOR_ACCESS_LOG"])
def test_a_log_that_cannot_be_written_is_told_before_anything_is_made(
    atelier: Atelier, tmp_path: Path, variable: str
) -> None:
    """By a server at its start, a call, and the doctor, which goes on."""
    (tmp_path / "file").touch()
    log = str(tmp_path / "file" / "log")
    words = f"{variable}: {log} cannot be written"
    for argv in (("serve",), ("call", "list_jobs")):
        outcome = atelier(*argv, **{variable: log})
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.startswith(words)
        assert "Traceback" not in outcome.err
    outcome = atelier("doctor", "--json", **{variable: log})
    assert outcome.code == 1
    assert outcome.findings["logs"]["words"].startswith(words)
    assert outcome.findings["tools"]["good"]


def test_what_the_emulator_is_told_to_write_is_this_users_alone(atelier: Atelier, tmp_path: Path) -> None:
    """Prompts stand in it. Here it is told of a switch that it does not have, and so ends."""
    argv = ("--access-log", str(tmp_path / "log"), "--state", str(tmp_path / "deep" / "state"), "--set", "nonsense")
    assert atelier("emulator", *argv).code == 2
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("log", "deep", "deep/state")]
    assert modes == [0o600, 0o700, 0o700]


def test_the_folder_of_a_log_is_made(atelier: Atelier, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "audit.jsonl"
    assert atelier("call", "list_jobs", ATELIER_AUDIT_LOG=str(log)).code == 0
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_the_emulator_says_at_its_start_that_the_engine_is_missing(
    atelier: Atelier, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = util.find_spec

    def find(name: str, package: str | None = None) -> Any:
        return None if name in {"cv2", "numpy"} else real(name, package)

    monkeypatch.setattr("atelier_mcp.server.cli.emulator.find_spec", find)
    outcome = atelier("emulator")
    assert (outcome.code, outcome.out) == (1, "")
    assert "engine" in outcome.err.splitlines()[-1]


def test_every_command_has_help(atelier: Atelier) -> None:
    for command in (
        "serve",
        "demo",
        "setup",
        "doctor",
        "tools",
        "call",
        "jobs",
        "show",
        "spend",
        "prune",
        "token",
        "emulator",
    ):
        outcome = atelier(command, "--help")
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith(f"usage: atelier {command}")
