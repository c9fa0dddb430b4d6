"""The Chinese README names the same tools and settings as the program has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server import registry
from atelier_mcp.server.providers.discovery import discover_own_specs
from atelier_mcp.server.settings import iterate_fields

if TYPE_CHECKING:
    from atelier_mcp.server.tool_definition import ToolDefinition

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.zh-CN.md").read_text("utf-8")
ENGLISH = (ROOT / "README.md").read_text("utf-8")


def test_it_lists_every_tool_with_its_toolset() -> None:
    """A tool that is added, dropped or moved is told in both languages."""
    rows = set(re.findall(r"^(\| `\w+` \| \w+（[是否]） \|) \S", TEXT, re.MULTILINE))
    expected = {format_row_start(tool) for tool in registry.discover().definitions}
    assert not (missing := expected - rows), "write into the table of tools:\n" + "\n".join(
        f"{start} 中文说明。 |" for start in sorted(missing)
    )
    assert not (surplus := rows - expected), "take out of the table of tools:\n" + "\n".join(sorted(surplus))


def format_row_start(tool: ToolDefinition) -> str:
    """A row of the table up to the description, which is written by hand."""
    is_default = tool.toolset in registry.DEFAULT_TOOLSETS and tool.by_default
    return f"| `{tool.name}` | {tool.toolset}（{'是' if is_default else '否'}） |"


def test_it_lists_every_setting_with_its_default() -> None:
    """The same for settings; what they mean is in Chinese."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\| \S", TEXT, re.MULTILINE)
    assert dict(rows) == {
        variable: str(field.default) if isinstance(field.default, str | int | float) else ""
        for variable, field in iterate_fields(spec for spec in discover_own_specs() if not spec.is_further)
    }


def test_it_has_the_parts_of_the_english_one() -> None:
    """As many sections, the same pictures and pages it leads to, the same packages it depends on."""
    assert TEXT.count("\n## ") == ENGLISH.count("\n## ")
    assert list_targets(TEXT) - {"README.md"} == list_targets(ENGLISH) - {"README.zh-CN.md"}
    assert list_packages(TEXT) == list_packages(ENGLISH)


def list_targets(text: str) -> set[str]:
    return set(re.findall(r"\]\(([^)#]+)[^)]*\)", text))


def list_packages(text: str) -> list[str]:
    """The first column of the last table, below its head."""
    return re.findall(r"^\| (\S.*?) \|", text.split("\n## ")[-2], re.MULTILINE)[1:]


@pytest.mark.parametrize("target", sorted(list_targets(TEXT)))
def test_its_links_lead_somewhere(target: str) -> None:
    """Every relative link is a file of the repository."""
    assert "://" in target or (ROOT / target).exists()
