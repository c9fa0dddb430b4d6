"""Links that install the published package with one click, for the hosts that take such links."""

from __future__ import annotations

import base64
import json
from typing import Any, Final
from urllib.parse import quote, urlencode

from atelier_mcp.server.cli.hosts.host import ENTRY_NAME
from atelier_mcp.server.cli.installation import DISTRIBUTION

START: Final[dict[str, Any]] = {"command": "uvx", "args": ["--from", f"{DISTRIBUTION}[engine]", "atelier", "serve"]}
"""How the published package is started without installing it."""


def build_links() -> dict[str, str]:
    """By host. Each opens a page of the host's maker, which hands the configuration to the program."""
    plain = json.dumps(START, separators=(",", ":"))
    packed = base64.b64encode(plain.encode()).decode()
    typed = json.dumps({"type": "stdio", **START}, separators=(",", ":"))
    goose = [
        ("cmd", str(START["command"])),
        *(("arg", word) for word in START["args"]),
        ("id", ENTRY_NAME),
        ("name", "Atelier"),
        ("description", "An image studio for agents"),
    ]
    return {
        "VS Code": f"https://insiders.vscode.dev/redirect/mcp/install?name={ENTRY_NAME}&config={quote(typed, safe='')}",
        "Cursor": f"https://cursor.com/en/install-mcp?name={ENTRY_NAME}&config={quote(packed, safe='')}",
        "LM Studio": f"https://lmstudio.ai/install-mcp?name={ENTRY_NAME}&config={quote(packed, safe='')}",
        "Goose": f"https://block.github.io/goose/extension?{urlencode(goose)}",
        "Kiro": f"https://kiro.dev/launch/mcp/add?name={ENTRY_NAME}&config={quote(plain, safe='')}",
    }


def build_buttons() -> str:
    """The links as buttons, on one line."""
    return " ".join(
        f"[![{host}](https://img.shields.io/badge/{quote(host)}-install-2f6f8f)]({link})"
        for host, link in build_links().items()
    )
