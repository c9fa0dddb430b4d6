"""The commands in this process, with an environment and a home of their own."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server import cli
from atelier_mcp.server.cli.hosts.catalog import HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    Atelier = Callable[..., "CommandOutcome"]

HOST_FOLDERS = {host.home_variable for host in HOSTS if host.home_variable}
OWN_PREFIXES = ("ATELIER_", "MHAPI_", "MIAOHUA_", "SENSENOVA_", "SD_AWS_", "SD_WEBUI_", "COMFYUI_", "OPENAI_")


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str

    def read_json(self) -> Any:
        """The output of ``--json``."""
        return json.loads(self.out)

    @property
    def findings(self) -> dict[str, dict[str, Any]]:
        """Those of the doctor, by what was looked at."""
        return {finding["what"]: finding for finding in self.read_json()}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home folder, with nothing in the environment of what this machine's user has set."""
    for name in list(os.environ):
        if name.startswith((*OWN_PREFIXES, "XDG_")) or name in HOST_FOLDERS:
            monkeypatch.delenv(name)
    folder = tmp_path / "user"
    folder.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("APPDATA", str(folder / "AppData"))
    monkeypatch.setenv("ATELIER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    return folder


@pytest.fixture
def atelier(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Generator[Atelier]:
    """Runs a command; keyword arguments are settings, ``stdin`` is what it reads."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def run(*argv: str, stdin: bytes = b"", **environ: str) -> CommandOutcome:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
            try:
                code = cli.run(argv)
            except SystemExit as exit_request:  # --help and --version
                code = int(exit_request.code or 0)
        printed = capsys.readouterr()
        return CommandOutcome(code, printed.out, printed.err)

    yield run
    root.handlers, root.level = handlers, level
