"""Every host that ``atelier setup`` knows, with the file and the shape that it reads (checked: docs/hosts.md)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.cli.hosts.host import ENTRY_NAME, Host

if TYPE_CHECKING:
    from atelier_mcp.server.cli.hosts.host import Entry, Platform, ServerEntry

TOOL_TIMEOUT_S: Final = 300
"""For hosts that let one be set: a call waits up to 50 s for its pictures, and a first start may load an engine."""


def _build_entry(server: ServerEntry, **before: Any) -> Entry:
    """``command``, ``args`` and ``env``, as most hosts take them."""
    entry = {**before, "command": server.command, "args": list(server.args)}
    return {**entry, "env": dict(server.env)} if server.env else entry


_build_typed_entry: Final = functools.partial(_build_entry, type="stdio")


def _build_copilot_entry(server: ServerEntry) -> Entry:
    return {**_build_entry(server, type="local"), "tools": ["*"]}


def _build_opencode_entry(server: ServerEntry) -> Entry:
    entry: Entry = {"type": "local", "command": [server.command, *server.args], "enabled": True}
    return {**entry, "environment": dict(server.env)} if server.env else entry


def _build_goose_entry(server: ServerEntry) -> Entry:
    return {
        "name": ENTRY_NAME,
        "description": "An image studio: generate, edit and find pictures.",
        "type": "stdio",
        "cmd": server.command,
        "args": list(server.args),
        "envs": dict(server.env),
        "timeout": TOOL_TIMEOUT_S,
        "enabled": True,
    }


def _build_cline_cli_entry(server: ServerEntry) -> Entry:
    return {"transport": _build_typed_entry(server)}


def _build_continue_entry(server: ServerEntry) -> Entry:
    return _build_entry(server, name=ENTRY_NAME)


def _everywhere(path: str) -> dict[Platform, str]:
    return {"linux": path, "darwin": path, "win32": path}


def _in_config_folder(path: str) -> dict[Platform, str]:
    """A path below the folder in which desktop programs keep their configuration."""
    return {
        "linux": f"~/.config/{path}",
        "darwin": f"~/Library/Application Support/{path}",
        "win32": f"%APPDATA%/{path}",
    }


_SERVERS: Final = ("mcpServers",)
_CLINE: Final = "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"

HOSTS: Final = (
    Host(
        name="claude-desktop",
        title="Claude Desktop",
        paths=_in_config_folder("Claude/claude_desktop_config.json"),
        section=_SERVERS,
        build_entry=_build_entry,
        next_step="Quit Claude Desktop wholly and start it again.",
        notes="`make bundle` makes a file that it installs by a double click, too.",
    ),
    Host(
        name="claude-code",
        title="Claude Code",
        paths=_everywhere("~/.claude.json"),
        home_variable="CLAUDE_CONFIG_DIR",
        section=_SERVERS,
        build_entry=_build_typed_entry,
        project_path=".mcp.json",
        next_step="Start a new session; /mcp shows it.",
        notes="The same by hand: `claude mcp add --scope user atelier -- atelier serve`.",
    ),
    Host(
        name="vscode",
        title="VS Code",
        paths=_in_config_folder("Code/User/mcp.json"),
        section=("servers",),
        build_entry=_build_typed_entry,
        project_path=".vscode/mcp.json",
        next_step="Run MCP: List Servers in the command palette and start it.",
    ),
    Host(
        name="cursor",
        title="Cursor",
        paths=_everywhere("~/.cursor/mcp.json"),
        section=_SERVERS,
        build_entry=_build_entry,
        project_path=".cursor/mcp.json",
        next_step="Look for it in the settings, under MCP.",
    ),
    Host(
        name="windsurf",
        title="Windsurf",
        paths=_everywhere("~/.codeium/windsurf/mcp_config.json"),
        section=_SERVERS,
        build_entry=_build_entry,
        next_step="Press refresh in Cascade's list of MCP servers.",
    ),
    Host(
        name="zed",
        title="Zed",
        paths={
            "linux": "~/.config/zed/settings.json",
            "darwin": "~/.config/zed/settings.json",
            "win32": "%APPDATA%/Zed/settings.json",
        },
        section=("context_servers",),
        build_entry=_build_entry,
        project_path=".zed/settings.json",
        next_step="The Agent Panel's settings show a green dot.",
    ),
    Host(
        name="gemini-cli",
        title="Gemini CLI",
        paths=_everywhere("~/.gemini/settings.json"),
        section=_SERVERS,
        build_entry=_build_entry,
        project_path=".gemini/settings.json",
        next_step="Start gemini; /mcp shows it.",
    ),
    Host(
        name="codex",
        title="Codex CLI",
        paths=_everywhere("~/.codex/config.toml"),
        home_variable="CODEX_HOME",
        file_format="toml",
        section=("mcp_servers",),
        build_entry=_build_entry,
        next_step="Start codex; /mcp shows it.",
    ),
    Host(
        name="copilot-cli",
        title="GitHub Copilot CLI",
        paths=_everywhere("~/.copilot/mcp-config.json"),
        home_variable="COPILOT_HOME",
        section=_SERVERS,
        build_entry=_build_copilot_entry,
        next_step="Start copilot; /mcp show lists it.",
    ),
    Host(
        name="qwen-code",
        title="Qwen Code",
        paths=_everywhere("~/.qwen/settings.json"),
        home_variable="QWEN_HOME",
        section=_SERVERS,
        build_entry=_build_entry,
        project_path=".qwen/settings.json",
        next_step="Start qwen; /mcp shows it.",
    ),
    Host(
        name="opencode",
        title="opencode",
        paths=_everywhere("~/.config/opencode/opencode.json"),
        section=("mcp",),
        build_entry=_build_opencode_entry,
        project_path="opencode.json",
        other_name="opencode.jsonc",
        next_step="Start opencode; opencode mcp list shows it.",
    ),
    Host(
        name="goose",
        title="Goose",
        paths={
            "linux": "~/.config/goose/config.yaml",
            "darwin": "~/.config/goose/config.yaml",
            "win32": "%APPDATA%/Block/goose/config/config.yaml",
        },
        file_format="yaml",
        section=("extensions",),
        build_entry=_build_goose_entry,
        next_step="Start a new session.",
    ),
    Host(
        name="lm-studio",
        title="LM Studio",
        paths=_everywhere("~/.lmstudio/mcp.json"),
        section=_SERVERS,
        build_entry=_build_entry,
        next_step="Switch it on under Integrations, in the panel of a chat.",
    ),
    Host(
        name="cline",
        title="Cline in VS Code",
        paths=_in_config_folder(_CLINE),
        section=_SERVERS,
        build_entry=_build_entry,
        next_step="Look for it under MCP Servers in Cline's panel.",
    ),
    Host(
        name="cline-cli",
        title="Cline CLI",
        paths=_everywhere("~/.cline/data/settings/cline_mcp_settings.json"),
        section=_SERVERS,
        build_entry=_build_cline_cli_entry,
        next_step="Start cline.",
    ),
    Host(
        name="continue",
        title="Continue",
        paths=_everywhere("~/.continue/config.yaml"),
        file_format="yaml",
        section=_SERVERS,
        is_list=True,
        new_file="name: Local Config\nversion: 1.0.0\nschema: v1\n",
        build_entry=_build_continue_entry,
        next_step="Use agent mode: its tools are not offered elsewhere.",
    ),
    Host(
        name="jetbrains",
        title="JetBrains Junie",
        paths=_everywhere("~/.junie/mcp/mcp.json"),
        section=_SERVERS,
        build_entry=_build_entry,
        project_path=".junie/mcp/mcp.json",
        next_step="For AI Assistant: Settings, Tools, AI Assistant, MCP, Add, and paste what --print shows.",
        notes="AI Assistant keeps its servers in the IDE's own settings, where the same JSON is pasted.",
    ),
    Host(
        name="warp",
        title="Warp",
        paths=_everywhere("~/.warp/.mcp.json"),
        section=_SERVERS,
        build_entry=_build_entry,
        next_step="It starts by itself; Settings, Agents, MCP servers shows it.",
    ),
    Host(
        name="kiro",
        title="Kiro",
        paths=_everywhere("~/.kiro/settings/mcp.json"),
        section=_SERVERS,
        build_entry=_build_entry,
        project_path=".kiro/settings/mcp.json",
        next_step="Look for it in the MCP servers of Kiro's panel.",
    ),
)
"""In the order in which they are shown."""


def find_host(name: str) -> Host | None:
    """The host of that name."""
    return next((host for host in HOSTS if host.name == name), None)
