"""``atelier setup``: a host's file gets one entry, keeps everything else, and can be had back."""

from __future__ import annotations

import json
import re
import stat
import sys
import tomllib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml

from atelier_mcp.server.cli.hosts import examples, jsonc
from atelier_mcp.server.cli.hosts import yaml as yaml_file
from atelier_mcp.server.cli.hosts.catalog import HOSTS, find_host
from atelier_mcp.server.cli.hosts.host import ServerEntry
from atelier_mcp.server.cli.hosts.host_file import HostFile

if TYPE_CHECKING:
    from atelier_mcp.server.cli.hosts.host import Host, Platform
    from tests.cli.conftest import Atelier

ROOT = Path(__file__).parent.parent.parent
WINDOWS_ENTRY = ServerEntry(
    command=r"C:\Users\Zoë O'Neil\atelier.exe", args=("serve",), env={"MHAPI_SECRET_KEY": 'a"b\\c #d: {e}', "N": "0"}
)
SYSTEMS: dict[Platform, dict[str, str]] = {
    "linux": {"HOME": "/home/zoe"},
    "darwin": {"HOME": "/Users/zoe"},
    "win32": {"USERPROFILE": r"C:\Users\zoe", "APPDATA": r"C:\Users\zoe\AppData\Roaming"},
}
# What the sources of hosts whose programs cannot be had here say of an entry: (needed, known) keys.
# VS Code: mcpStdioServerSchema, which refuses others. Zed: ContextServerSettingsContent, told by its keys.
# Cline: StdioConfigSchema of McpHub. Warp: JSONTransportType's CLIServer, and parse_result of ai/mcp/parsing.rs.
PUBLISHED_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "vscode": ({"command"}, {"type", "command", "args", "env", "cwd", "envFile", "dev"}),
    "zed": ({"command", "args"}, {"command", "args", "env", "timeout", "enabled", "remote"}),
    "cline": ({"command"}, {"command", "args", "env", "cwd", "autoApprove", "disabled", "timeout", "type"}),
    "warp": ({"command"}, {"command", "args", "env", "working_directory", "description"}),
}
ZED_SETTINGS = """// Zed settings
{
    "theme": "One Dark", // mine
    /* "context_servers": {"not": "this"}, */
    "context_servers": {
        "other": { "command": "other", "args": ["--x"], },
    },
    "vim_mode": true,
}
"""
CODEX_CONFIG = """# my config
model = "o5"

[mcp_servers.other]  # kept
command = "other"

[mcp_servers.other.env]
KEY = "value"

[tui]
theme = "dark"
"""
GOOSE_CONFIG = """# my config
GOOSE_PROVIDER: openai
extensions:
    developer:
        type: builtin   # kept
        enabled: true

    other:
        type: stdio
        cmd: other
# behind
GOOSE_MODEL: gpt
"""
CONTINUE_CONFIG = """name: Mine
version: 1.0.0
schema: v1
mcpServers:
- name: other
  command: other
models: []  # none yet
"""


def load(host: Host, text: str) -> Any:
    """The document as the host's own kind of reader sees it."""
    if host.file_format == "toml":
        return tomllib.loads(text)
    return yaml.safe_load(text) if host.file_format == "yaml" else jsonc.parse(text)


def get_entry(host: Host, document: Any) -> Any:
    servers = document
    for key in host.section:
        servers = servers[key]
    if host.is_list:
        return next((server for server in servers if server["name"] == "atelier"), None)
    return servers.get("atelier")


def get_host(name: str) -> Host:
    host = find_host(name)
    assert host is not None
    return host


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_host_gets_an_entry_that_starts_this_installation(host: Host, atelier: Atelier, home: Path) -> None:
    """In a file of its own kind, readable by its owner alone; again changes nothing; and it is taken out."""
    written = atelier("setup", host.name, "--json", "--env", "ATELIER_WAIT_S=40")
    (outcome,) = written.read_json()
    assert (written.code, outcome["action"]) == (0, "written")
    path = Path(outcome["file"])
    assert path.is_relative_to(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text("utf-8")
    assert json.dumps(sys.executable)[1:-1] in text or "atelier" in text
    assert "40" in json.dumps(get_entry(host, load(host, text)))
    entry = HostFile(host, path).find_entry(text)
    assert entry is not None
    assert Path(entry.command[0]).is_absolute()
    assert atelier("setup", host.name, "--json", "--env", "ATELIER_WAIT_S=40").read_json()[0]["action"] == "unchanged"
    assert atelier("setup", host.name, "--remove", "--json").read_json()[0]["action"] == "removed"
    assert HostFile(host, path).find_entry(path.read_text("utf-8")) is None
    assert atelier("setup", host.name, "--remove", "--json").read_json()[0]["action"] == "unchanged"


@pytest.mark.parametrize(("name", "keys"), PUBLISHED_KEYS.items())
def test_an_entry_keeps_to_what_its_hosts_source_reads(name: str, keys: tuple[set[str], set[str]]) -> None:
    needed, known = keys
    entry = get_host(name).build_entry(WINDOWS_ENTRY)
    assert needed <= set(entry) <= known
    assert isinstance(entry["command"], str)
    assert all(isinstance(value, str) for value in [*entry["args"], *entry["env"].values()])


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_names_and_keys_of_any_kind_arrive_as_they_are(host: Host, tmp_path: Path) -> None:
    """Windows' paths, quotes, what looks like a comment or a number."""
    text = HostFile(host, tmp_path / "file").set_entry("", WINDOWS_ENTRY)
    entry = get_entry(host, load(host, text))
    assert entry == host.build_entry(WINDOWS_ENTRY)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zed", ZED_SETTINGS),
        ("zed", '{"theme": "x"}'),
        ("zed", "{}"),
        ("zed", "// nothing yet\n"),
        ("zed", '{"context_servers": {}}'),
        ("zed", '{"context_servers": null, "x": 1}'),
        ("zed", '\ufeff{"a": [1, {"b": "}"}], "context_servers": {"x": {"command": "// no comment"}}}'),
        ("zed", '{"context_servers": {"atelier": {"command": "old"}, "x": {}}}'),
        ("zed", '{"context_servers": {"x": {}, "atelier": {"command": "old"}}}'),
        ("codex", CODEX_CONFIG),
        ("codex", CODEX_CONFIG + '\n[mcp_servers.atelier]\ncommand = "old"\n\n[mcp_servers.atelier.env]\nA = "b"\n'),
        ("codex", '[mcp_servers."atelier"]\ncommand = "old"\n[other]\na = 1\n'),
        ("goose", GOOSE_CONFIG),
        ("goose", "extensions: {}\nx: 1\n"),
        ("goose", "extensions:\nx: 1\n"),
        ("goose", "extensions:\n  atelier:\n    cmd: old\n  x:\n    cmd: y\n"),
        ("goose", "---\n# mine\nextensions:\n  x:\n    about: |\n      a\n      # text\n\n# next\ny: 1\n"),
        ("goose", "\ufeffextensions:\n  x:\n    cmd: y\n"),
        ("codex", "\ufeff" + CODEX_CONFIG),
        ("continue", CONTINUE_CONFIG),
        ("continue", "name: a\nmcpServers: []\n"),
        ("continue", "mcpServers:\n  - name: atelier\n    command: old\n  - name: x\n    command: y\nz: 1\n"),
    ],
)
def test_everything_else_in_the_file_stays(name: str, text: str, tmp_path: Path) -> None:
    """Comments, commas, order, other servers; and taking the entry out again leaves what was there."""
    host = get_host(name)
    file = HostFile(host, tmp_path / "file")
    changed = file.set_entry(text, WINDOWS_ENTRY)
    plain = text.removeprefix("\ufeff")
    before: Any = load(host, plain)
    after: Any = load(host, changed.removeprefix("\ufeff"))
    assert get_entry(host, after) == host.build_entry(WINDOWS_ENTRY)
    assert _without_ours(host, after) == _without_ours(host, before)
    comments = re.findall(r"(?://|/\*|# ).*", plain) if "# " in plain or "/*" in plain else []
    assert [comment for comment in comments if comment not in changed] == []
    removed = file.remove_entry(changed)
    assert file.find_entry(removed) is None
    assert _without_ours(host, load(host, removed.removeprefix("\ufeff"))) == _without_ours(host, before)


def _without_ours(host: Host, document: Any) -> Any:
    """The document without our entry, and without a section that is empty."""
    copy: dict[str, Any] = json.loads(json.dumps(document)) or {}
    servers: Any = copy.get(host.section[0]) or dict[str, Any]()
    if isinstance(servers, list):
        copy[host.section[0]] = [s for s in cast("list[dict[str, Any]]", servers) if s["name"] != "atelier"]
    else:
        servers.pop("atelier", None)
    if not copy.get(host.section[0]):
        copy.pop(host.section[0], None)
    return copy


def test_an_entry_alone_in_its_section_is_added_and_taken_out_by_its_lines(tmp_path: Path) -> None:
    """A diff of a file that somebody keeps under version control shows nothing else."""
    file = HostFile(get_host("zed"), tmp_path / "file")
    changed = file.set_entry(ZED_SETTINGS, ServerEntry(command="atelier", args=("serve",)))
    assert [line for line in ZED_SETTINGS.splitlines() if line not in changed.splitlines()] == []
    assert file.remove_entry(changed) == ZED_SETTINGS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cursor", "{"),
        ("cursor", "[]"),
        ("cursor", '{"mcpServers": []}'),
        ("cursor", '{"mcpServers": {}} trailing'),
        ("cursor", '{"a": ' + "[" * 500 + "]" * 500 + "}"),
        ("codex", "a = "),
        ("codex", 'mcp_servers = { other = { command = "x" } }'),
        ("codex", 'mcp_servers.atelier.command = "x"'),
        ("codex", "[[mcp_servers]]\na = 1\n"),
        ("codex", "mcp_servers = 1\n"),
        ("cursor", '{"a": \0}'),
        ("goose", "extensions: {developer: {enabled: true}}\n"),
        ("goose", "{}\n"),
        ("goose", "null\n"),
        ("goose", "- a\n"),
        ("goose", "extensions:\n\tx: 1\n"),
        ("goose", "x: 1\n...\n"),
        ("goose", "x: 1\n---\ny: 1\n"),
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_left_alone(name: str, text: str, atelier: Atelier, home: Path) -> None:
    """And what to add by hand is printed."""
    host = get_host(name)
    path = Path(host.locate("linux", {"HOME": str(home)}) or "")
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    outcome = atelier("setup", name)
    assert outcome.code == 1
    assert "is left as it is" in outcome.err
    assert "Add this yourself" in outcome.err
    removal = atelier("setup", name, "--remove")
    assert "nothing to change" in removal.out or "is left as it is" in removal.err
    assert path.read_text("utf-8") == text
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_link_that_leads_to_itself_is_one_line(atelier: Atelier, home: Path) -> None:
    (home / ".cursor").mkdir()
    (home / ".cursor" / "mcp.json").symlink_to(home / ".cursor" / "mcp.json")
    outcome = atelier("setup", "cursor")
    assert (outcome.code, len(outcome.err.splitlines())) == (1, 1)
    assert "cannot be read" in outcome.err


def test_a_host_that_fails_keeps_no_other_from_being_set_up(atelier: Atelier, home: Path) -> None:
    """And what was written is said, for a program in the same list."""
    (home / ".cursor").mkdir()
    (home / ".cursor" / "mcp.json").write_text("{", "utf-8")
    outcome = atelier("setup", "zed", "cursor", "warp")
    assert outcome.code == 1
    assert [line.partition(":")[0] for line in outcome.out.splitlines() if "Atelier is in" in line] == ["Zed", "Warp"]
    assert outcome.err.startswith(f"Cursor: {home / '.cursor' / 'mcp.json'} is left as it is")
    listed = atelier("setup", "zed", "cursor", "warp", "--json")
    assert [entry["action"] for entry in listed.read_json()] == ["unchanged", "failed", "unchanged"]
    assert listed.read_json()[1]["error"]["message"].endswith("line 1: '\"' expected.")
    assert atelier("setup", "vscode", "goose", "--project").code == 2
    assert not (home / ".vscode").exists()


def test_a_file_under_its_other_name_is_the_one_that_is_changed(atelier: Atelier, home: Path) -> None:
    """And looked at by the doctor; where both are there, the usual one."""
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text("{} // mine\n", "utf-8")
    assert atelier("setup", "opencode", "--json").read_json()[0]["file"] == str(folder / "opencode.jsonc")
    assert str(folder / "opencode.jsonc") in atelier("doctor", "--json").findings["opencode"]["words"]
    (folder / "opencode.json").write_text("{}", "utf-8")
    assert atelier("setup", "opencode", "--json").read_json()[0]["file"] == str(folder / "opencode.json")


def test_what_was_there_is_kept_beside(atelier: Atelier, home: Path) -> None:
    """Each time under a new name, with the first never lost; a link stays one."""
    real = home / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text('{"mcpServers": {"x": {"command": "y"}}}', "utf-8")
    real.chmod(0o640)
    (home / ".cursor").mkdir()
    (home / ".cursor" / "mcp.json").symlink_to(real)
    first, *_ = atelier("setup", "cursor", "--json").read_json()
    second, *_ = atelier("setup", "cursor", "--json", "--env", "A=b").read_json()
    assert first["backup"] != second["backup"]
    assert Path(first["backup"]).read_text("utf-8") == '{"mcpServers": {"x": {"command": "y"}}}'
    assert stat.S_IMODE(Path(first["backup"]).stat().st_mode) == 0o600
    assert (home / ".cursor" / "mcp.json").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_dry_run_writes_nothing_and_shows_the_change(atelier: Atelier, home: Path) -> None:
    outcome = atelier("setup", "cursor", "codex", "--dry-run")
    assert outcome.code == 0
    assert '+    "atelier": {' in outcome.out
    assert "+[mcp_servers.atelier]" in outcome.out
    assert list(home.iterdir()) == []
    atelier("setup", "cursor")
    assert '-    "atelier": {' in atelier("setup", "cursor", "--remove", "--dry-run").out


def test_a_project_has_a_file_of_its_own(atelier: Atelier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert atelier("setup", "vscode", "--project").code == 0
    assert "atelier" in json.loads((tmp_path / ".vscode" / "mcp.json").read_text("utf-8"))["servers"]
    outcome = atelier("setup", "goose", "--project")
    assert (outcome.code, "leave --project out" in outcome.err) == (2, True)


def test_a_setting_is_handed_on_by_value_or_as_it_is_now(atelier: Atelier) -> None:
    out = atelier("setup", "cursor", "--print", "--env", "A=1", "--env", "MHAPI_ACCESS_KEY", MHAPI_ACCESS_KEY="k").out
    assert json.loads(out)["mcpServers"]["atelier"]["env"] == {"A": "1", "MHAPI_ACCESS_KEY": "k"}
    outcome = atelier("setup", "cursor", "--print", "--env", "NOT_SET")
    assert (outcome.code, "--env NOT_SET" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    ("argv", "words"),
    [(("setup", "curser"), "Did you mean cursor?"), (("setup",), "Name a host. There are claude-desktop")],
)
def test_a_host_there_is_not_is_one_line(atelier: Atelier, argv: tuple[str, ...], words: str) -> None:
    outcome = atelier(*argv)
    assert (outcome.code, words in outcome.err, len(outcome.err.splitlines())) == (2, True, 1)


def test_hosts_are_listed_with_those_that_are_here(atelier: Atelier, home: Path) -> None:
    (home / ".cursor").mkdir()
    found = {host["name"]: host["found"] for host in atelier("setup", "--list", "--json").read_json()}
    assert (found["cursor"], found["zed"], found["claude-code"]) == (True, False, False)
    assert "* cursor" in atelier("setup", "--list").out


def test_a_wrong_setting_does_not_keep_anybody_from_taking_it_out(atelier: Atelier) -> None:
    atelier("setup", "cursor")
    assert atelier("setup", "cursor", "--remove", ATELIER_WAIT_S="soon").code == 0


@pytest.mark.parametrize(
    ("name", "platform", "path"),
    [
        ("claude-desktop", "darwin", "/Users/zoe/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", r"C:\Users\zoe\AppData\Roaming\Claude\claude_desktop_config.json"),
        ("vscode", "darwin", "/Users/zoe/Library/Application Support/Code/User/mcp.json"),
        ("vscode", "win32", r"C:\Users\zoe\AppData\Roaming\Code\User\mcp.json"),
        ("cursor", "win32", r"C:\Users\zoe\.cursor\mcp.json"),
        ("zed", "darwin", "/Users/zoe/.config/zed/settings.json"),
        ("zed", "win32", r"C:\Users\zoe\AppData\Roaming\Zed\settings.json"),
        ("goose", "win32", r"C:\Users\zoe\AppData\Roaming\Block\goose\config\config.yaml"),
        ("codex", "win32", r"C:\Users\zoe\.codex\config.toml"),
    ],
)
def test_files_lie_where_each_system_has_them(name: str, platform: Any, path: str) -> None:
    assert get_host(name).locate(platform, SYSTEMS[platform]) == path


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_host_has_a_file_on_every_system_in_the_users_own_folder(host: Host) -> None:
    """Written as that system writes it; without a home folder there is none to guess."""
    for platform, environ in SYSTEMS.items():
        path = host.locate(platform, environ)
        assert path is not None
        kind = PureWindowsPath if platform == "win32" else PurePosixPath
        home = kind(environ.get("USERPROFILE") or environ["HOME"])
        assert str(kind(path)) == path
        assert kind(path).is_relative_to(home)
        assert kind(path) != home
        assert host.locate(platform, {}) is None
        if host.home_variable:
            assert kind(host.locate(platform, {**environ, host.home_variable: str(home)}) or "").parent == home


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_the_folder_of_configurations_is_where_linux_was_told(host: Host) -> None:
    """And nowhere else; a path that is not absolute is not taken, as its standard has it."""
    usual = host.locate("linux", {"HOME": "/home/zoe"}) or ""
    told = usual.replace("/home/zoe/.config/", "/srv/config/")
    assert host.locate("linux", {"HOME": "/home/zoe", "XDG_CONFIG_HOME": "/srv/config"}) == told
    assert host.locate("linux", {"HOME": "/home/zoe", "XDG_CONFIG_HOME": "config"}) == usual


def test_a_folder_that_a_variable_names_comes_first() -> None:
    environ = {"HOME": "/home/zoe", "CODEX_HOME": "/srv/codex"}
    assert get_host("codex").locate("linux", environ) == "/srv/codex/config.toml"


def test_the_example_files_are_what_setup_writes(tmp_path: Path) -> None:
    """``make docs`` writes them; each is one that its host can read."""
    assert examples.main(["--check", str(ROOT / "examples" / "clients")]) == 0
    for host in HOSTS:
        text = (ROOT / "examples" / "clients" / examples.name_file(host)).read_text("utf-8")
        assert get_entry(host, load(host, text)) == host.build_entry(examples.EXAMPLE_ENTRY)
        assert HostFile(host, tmp_path / "file").find_entry(text) is not None


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zed", ZED_SETTINGS),
        ("codex", CODEX_CONFIG),
        ("goose", GOOSE_CONFIG),
        ("goose", 'extensions:\n  x:\n    cmd: "a\u2028b\x85c"\n'),
        ("continue", CONTINUE_CONFIG),
    ],
)
def test_taken_out_again_the_file_is_byte_for_byte_what_it_was(
    name: str, text: str, newline: str, atelier: Atelier, home: Path
) -> None:
    """Its lines end as they did, with the entry and without."""
    path = Path(get_host(name).locate("linux", {"HOME": str(home)}) or "")
    path.parent.mkdir(parents=True)
    before = text.replace("\n", newline).encode()
    path.write_bytes(before)
    assert atelier("setup", name).code == 0
    lines = path.read_bytes().splitlines(keepends=True)
    assert {line.endswith(b"\r\n") for line in lines if line.endswith(b"\n")} == {newline == "\r\n"}
    assert atelier("setup", name, "--remove").code == 0
    assert path.read_bytes() == before


def test_what_was_written_around_a_table_stays_when_it_is_taken_out(tmp_path: Path) -> None:
    """Codex adds tables of its own below ours, and people say there what they are for."""
    ours = '[mcp_servers.atelier]\nargs = [\n  # words\n  "serve",\n]\n\n[mcp_servers.atelier.env]\nA = "b"\n'
    text = f"# Pictures.\n{ours}\n# Trusted folders.\n[projects.here]\na = 1\n\n# The end.\n"
    removed = HostFile(get_host("codex"), tmp_path / "file").remove_entry(text)
    assert removed == "# Pictures.\n\n# Trusted folders.\n[projects.here]\na = 1\n\n# The end.\n"


@pytest.mark.parametrize(
    ("section", "is_list", "text"),
    [
        ("mcpServers", True, "mcpServers:\n  x:\n    command: a\n"),
        ("extensions", False, "extensions:\n  - name: x\n"),
        ("extensions", False, "extensions:\n- name: x\n"),
    ],
)
def test_a_section_of_the_other_kind_is_left_alone(section: str, is_list: bool, text: str) -> None:
    """With an entry of ours in it the file could not be read any more."""
    with pytest.raises(ValueError, match=section):
        yaml_file.set_entry(text, section, "atelier", {"name": "atelier", "cmd": "a"}, is_list=is_list)


def test_of_an_entry_only_its_own_keys_are_read_and_no_comment() -> None:
    entry = "  atelier:\n    cmd: /usr/bin/python3 # mine\n    envs:\n      enabled: false\n    name: 'a'  # b\n"
    fields = yaml_file.read_fields(entry, {"cmd", "enabled", "name"})
    assert fields == {"cmd": "/usr/bin/python3", "name": "a"}
