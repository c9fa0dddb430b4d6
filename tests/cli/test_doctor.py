"""``atelier doctor``: it looks at everything, goes on where something is wrong, and says what can be pasted."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import sys
from contextlib import closing
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.cli.installation import (
    find_installation,
    find_start_command,
    format_install,
    format_own_command,
)

if TYPE_CHECKING:
    from tests.cli.conftest import Atelier

# Nothing listens there, so that whatever asks is refused at once.
UNREACHABLE = {"MHAPI_ACCESS_KEY": "a-key", "MHAPI_SECRET_KEY": "a-secret-of-more-than-thirty-two-letters"}


@pytest.fixture
def without_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without extras."""
    real = util.find_spec

    def find(name: str, package: str | None = None) -> Any:
        return None if name in {"cv2", "numpy", "pillow_heif", "obstore"} else real(name, package)

    for module in ("cli.doctor.engine", "cli.installation", "provider_factory"):
        monkeypatch.setattr(f"atelier_mcp.server.{module}.find_spec", find)


def test_without_keys_everything_works_and_is_tried(atelier: Atelier) -> None:
    """The ledger is opened, the engine draws, each account of the stand-in answers."""
    outcome = atelier("doctor", "--json")
    findings = outcome.findings
    assert outcome.code == 0
    assert findings["built-in engine"]["words"].startswith("draws")
    assert findings["ledger"]["words"].endswith("made with the first job")
    assert "free" in findings["data folder"]["words"]
    assert findings["account mhapi:built-in"]["words"].startswith("answers")
    assert "generate_image" in findings["tools"]["words"]


@pytest.mark.usefixtures("without_engine")
def test_remedies_can_be_pasted(atelier: Atelier) -> None:
    """Brackets, too, which the terminal's library takes for styles."""
    outcome = atelier("doctor")
    assert outcome.code == 1
    (line,) = [line for line in outcome.out.splitlines() if "[engine]" in line]
    words = shlex.split(line.removeprefix("    $ "))
    assert words[-1].endswith("[engine]")
    assert words[0] == sys.executable


@pytest.mark.usefixtures("without_engine")
def test_a_missing_engine_is_no_fault_where_a_service_is_configured(atelier: Atelier) -> None:
    finding = atelier("doctor", "--json", **UNREACHABLE, MHAPI_BASE_URL="http://127.0.0.1:9").findings
    assert finding["built-in engine"]["good"] is None


def test_an_extra_does_not_take_another_ones_place() -> None:
    """A tool that is installed anew has those extras that are named, and no others."""
    assert format_install("heif", installation="pipx").endswith('"atelier-mcp[bucket,engine,heif]"')


@pytest.mark.usefixtures("without_engine")
@pytest.mark.parametrize(
    ("installation", "line"),
    [
        ("pipx", 'pipx install --force "atelier-mcp[engine]"'),
        ("uv tool", 'uv tool install --force "atelier-mcp[engine]"'),
        ("uvx", 'uvx --from "atelier-mcp[engine]" atelier serve'),
        ("environment", '/opt/venv/bin/python -m pip install "atelier-mcp[engine]"'),
    ],
)
def test_an_extra_is_added_the_way_atelier_was_installed(installation: Any, line: str) -> None:
    assert format_install("engine", installation=installation, executable="/opt/venv/bin/python") == line


@pytest.mark.usefixtures("without_engine")
@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ({"url": "file:///srv/atelier.whl", "archive_info": {}}, "atelier-mcp[engine] @ file:///srv/atelier.whl"),
        (
            {"url": "https://git.example/a.git", "vcs_info": {"vcs": "git", "commit_id": "1"}},
            "atelier-mcp[engine] @ git+https://git.example/a.git",
        ),
        ({"url": "file:///srv/atelier", "dir_info": {"editable": True}}, "atelier-mcp[engine]"),
    ],
)
def test_an_extra_comes_from_where_atelier_came_from(
    origin: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index may not have it, or another version."""
    installed = tmp_path / "atelier_mcp-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: atelier-mcp\nVersion: 1\n", "utf-8")
    (installed / "direct_url.json").write_text(json.dumps(origin), "utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert shlex.split(format_install("engine", installation="pipx"))[-1] == words


def test_another_projects_program_of_the_same_name_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index has a package with one."""
    other = tmp_path / "atelier"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Path(shlex.split(format_own_command("setup"))[0]).is_absolute()
    other.unlink()
    other.symlink_to(find_start_command().command)
    assert format_own_command("setup") == "atelier setup"


@pytest.mark.parametrize(
    ("note", "installation"),
    [("pipx_metadata.json", "pipx"), ("uv-receipt.toml", "uv tool"), ("pyvenv.cfg", "environment")],
)
def test_an_installer_is_known_wherever_it_puts_its_environments(note: str, installation: str, tmp_path: Path) -> None:
    (tmp_path / note).touch()
    assert find_installation(str(tmp_path), str(tmp_path / "atelier_mcp" / "server" / "cli.py")) == installation


def test_a_path_that_reads_like_a_style_is_printed_as_it_is(atelier: Atelier, tmp_path: Path) -> None:
    outcome = atelier("doctor", ATELIER_HOME=str(tmp_path / "[red]x[/x]"), **UNREACHABLE)
    assert str(tmp_path / "[red]x[/x]") in outcome.out


def test_it_goes_on_after_a_service_that_is_half_configured(atelier: Atelier) -> None:
    """Says which variable is missing, and looks at the other account all the same."""
    environ = {
        "MHAPI_ACCESS_KEY": "a-key",
        "MIAOHUA_EMAIL": "a@example.org",
        "MIAOHUA_PASSWORD": "secret-password",
        "MIAOHUA_BASE_URL": "http://127.0.0.1:9",
    }
    outcome = atelier("doctor", "--json", **environ)
    assert outcome.code == 1
    finding = outcome.findings["SenseTime MHAPI"]
    assert finding["words"].startswith("half configured: MHAPI_SECRET_KEY is missing")
    assert finding["remedy"] == "export MHAPI_SECRET_KEY=..."
    assert outcome.findings["SenseTime Miaohua"]["words"] == "configured"
    assert any(what.startswith("account miaohua:") for what in outcome.findings)
    assert "secret-password" not in outcome.out


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ATELIER_WAIT_S": "soon"}, "ATELIER_WAIT_S"),
        ({"ATELIER_BUDGET_PER_DAYS": "3"}, "did you mean ATELIER_BUDGET_PER_DAY"),
        ({"ATELIER_CONFIG": "/nowhere.toml"}, "/nowhere.toml"),
        ({"ATELIER_TOOLSETS": "create,paint"}, "there is no toolset 'paint'"),
        ({"ATELIER_PROVIDERS": "painter"}, "there is no service 'painter'"),
        ({"ATELIER_PROVIDERS": "mhapi"}, "which needs MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY"),
        ({"ATELIER_INPUT_ROOTS": "/nowhere"}, "/nowhere is no folder"),
    ],
)
def test_a_wrong_setting_is_told_and_the_rest_looked_at(atelier: Atelier, environ: dict[str, str], words: str) -> None:
    outcome = atelier("doctor", "--json", **environ)
    assert outcome.code == 1
    assert any(words in finding["words"] for finding in outcome.read_json() if finding["good"] is False)
    assert "data folder" in outcome.findings


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        (
            {"MHAPI_BASE_URL": "http://127.0.0.1:9"},
            "MHAPI_BASE_URL has no effect without MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY.",
        ),
        (
            {"SD_AWS_USERNAME": "zoe", "SD_AWS_ENDPOINT": "mine"},
            "SD_AWS_USERNAME and SD_AWS_ENDPOINT have no effect without SD_AWS_URL and SD_AWS_API_KEY.",
        ),
        (
            {"OPENAI_SERVER_2": "localai"},
            "OPENAI_SERVER_2 has no effect without OPENAI_API_KEY_2 or OPENAI_BASE_URL_2.",
        ),
        ({"ATELIER_STORE_REGION": "eu"}, "ATELIER_STORE_REGION has no effect without ATELIER_STORE_URL."),
        (
            {"COMFYUI_URL": "http://127.0.0.1:9", "ATELIER_EMULATOR_TASK_S": "3"},
            "ATELIER_EMULATOR_TASK_S has no effect where a service is configured: no built-in emulator runs then.",
        ),
        ({"ATELIER_OAUTH_AUDIENCE": "atelier"}, "ATELIER_OAUTH_AUDIENCE needs ATELIER_OAUTH_ISSUER."),
        ({"ATELIER_OAUTH_ISSUER": "https://127.0.0.1:9"}, "ATELIER_OAUTH_ISSUER needs ATELIER_PUBLIC_URL"),
    ],
)
def test_a_setting_that_does_nothing_alone_is_told(atelier: Atelier, environ: dict[str, str], words: str) -> None:
    outcome = atelier("doctor", "--json", **environ)
    bad = [finding["words"] for finding in outcome.read_json() if finding["good"] is False]
    assert outcome.code == 1
    assert [line for line in bad if line.startswith(words)]


def test_the_stand_in_takes_nothing_over_of_an_account_that_is_not_configured(atelier: Atelier) -> None:
    """It knows no user ``zoe``; and nothing that it does costs anything."""
    findings = atelier("doctor", "--json", SD_AWS_USERNAME="zoe").findings
    assert findings["account sd_aws:built-in"]["good"] is True
    assert "costs" not in findings["account sensenova:built-in"]["words"]


def test_a_service_left_out_by_choice_is_not_called_used(atelier: Atelier) -> None:
    environ = {**UNREACHABLE, "COMFYUI_URL": "http://127.0.0.1:9", "ATELIER_PROVIDERS": "comfyui"}
    found = atelier("doctor", "--json", **environ).findings["SenseTime MHAPI"]
    assert found["good"] is None
    assert found["words"] == "configured, and not used: ATELIER_PROVIDERS does not name mhapi"


def test_a_way_out_for_pictures_that_nothing_uses_is_not_passed_over(atelier: Atelier) -> None:
    outcome = atelier("doctor", "--json", ATELIER_BUCKET_URL="s3://bucket/folder")
    assert outcome.findings["ATELIER_BUCKET_URL"]["words"] == "not tried: no service that is used is on the internet"


def test_a_data_folder_that_cannot_be_written_is_told(atelier: Atelier, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = atelier("doctor", "--json", ATELIER_HOME=str(tmp_path / "file" / "home"))
    assert (outcome.code, outcome.findings["data folder"]["good"]) == (1, False)


def test_a_ledger_that_reads_well_and_is_broken_is_opened_and_told(atelier: Atelier, tmp_path: Path) -> None:
    """A first look at its version is not enough."""
    home = tmp_path / "home"
    home.mkdir()
    with closing(sqlite3.connect(home / "ledger.sqlite3")) as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER)")
        connection.execute("INSERT INTO schema_version VALUES (3)")
        connection.commit()
    outcome = atelier("doctor", "--json")
    assert outcome.code == 1
    # As the version of SQLite has it, with the database's name or without.
    assert re.search(r"no such table: (main\.)?jobs", outcome.findings["ledger"]["words"])


def test_a_sound_ledger_opens_and_says_what_is_unfinished(atelier: Atelier) -> None:
    atelier("call", "generate_image", "prompt=a red kite", "width=640", "height=640")
    assert atelier("doctor", "--json").findings["ledger"]["words"].endswith("opens, no unfinished jobs")


def test_hosts_are_found_and_what_they_would_start(atelier: Atelier, home: Path) -> None:
    """One that knows of Atelier, one that does not, one that starts what is gone, one that nobody can read."""
    for path, text in {
        ".cursor/mcp.json": f'{{"mcpServers": {{"atelier": {{"command": "{sys.executable}", "args": ["-m", "x"]}}}}}}',
        ".qwen/settings.json": '{"theme": "dark" /* mine */}',
        ".codex/config.toml": '[mcp_servers.atelier]\ncommand = "/gone/atelier"\n',
        ".config/goose/config.yaml": "extensions:\n  atelier:\n    cmd: /gone/atelier\n",
        ".gemini/settings.json": "{",
        ".kiro/settings/mcp.json": '{"mcpServers": {"atelier": {"url": "http://127.0.0.1:8765/mcp"}}}',
        ".lmstudio/mcp.json": '{"mcpServers": {"atelier": {"command": "/gone/atelier", "disabled": true}}}',
        ".warp/.mcp.json": '{"mcpServers": {"atelier": []}}',
    }.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, "utf-8")
    outcome = atelier("doctor", "--json", **UNREACHABLE, MHAPI_BASE_URL="http://127.0.0.1:9")
    found = outcome.findings
    assert (found["Cursor"]["good"], found["Cursor"]["words"].split()[1]) == (True, sys.executable)
    assert found["Qwen Code"]["good"] is None
    assert found["Qwen Code"]["remedy"].endswith("setup qwen-code")
    assert found["Codex CLI"]["words"] == "would start /gone/atelier, which is not there"
    assert found["Goose"]["good"] is False
    assert found["Gemini CLI"]["good"] is False
    assert found["Gemini CLI"]["words"].endswith("cannot be read: line 1: '\"' expected.")
    assert (found["Kiro"]["good"], found["Kiro"]["words"].split()[1]) == (True, "http://127.0.0.1:8765/mcp")
    assert (found["LM Studio"]["good"], found["LM Studio"]["words"].split()[3]) == (None, "off")
    assert (found["Warp"]["good"], found["Warp"]["words"].split(" (")[0]) == (False, "has an entry without a command")
    assert "Zed" not in found
