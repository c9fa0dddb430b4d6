"""Reading a tool's answer."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.tool_result import get_facts

if TYPE_CHECKING:
    from pathlib import Path

    import mcp_types as types


def get_text(result: types.CallToolResult) -> str:
    """What the model reads."""
    return "\n".join(block.text for block in result.content if block.type == "text")


def get_structured(result: types.CallToolResult) -> dict[str, Any]:
    """The facts for programs of an answer that is no refusal."""
    assert not result.is_error, get_text(result)
    facts = get_facts(result)
    assert facts
    return facts


def get_refusal(result: types.CallToolResult) -> str:
    """The words of a refusal."""
    assert result.is_error, result.structured_content
    return get_text(result)


def decode_previews(result: types.CallToolResult) -> list[bytes]:
    """The pictures shown in an answer."""
    return [base64.b64decode(block.data) for block in result.content if block.type == "image"]


def list_links(result: types.CallToolResult) -> list[str]:
    """The resources an answer points to."""
    return [str(block.uri) for block in result.content if block.type == "resource_link"]


def read_access_log(path: Path) -> list[dict[str, Any]]:
    """The emulator's access log."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def list_submits(path: Path) -> list[dict[str, Any]]:
    """The jobs that were really sent, by the emulator's access log."""
    return [entry for entry in read_access_log(path) if entry["method"] == "POST" and "/imgen" in entry["path"]]
