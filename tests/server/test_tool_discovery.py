"""A tool file that is not in order: named in one sentence, while the others are served."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server import app, registry
from atelier_mcp.server.cli import doctor
from atelier_mcp.server.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.tool_definition import DiscoveredTools

GOOD_FILE = '''"""Say something."""
from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.chat import Chat
from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="chat", read_only=False, destructive=False, idempotent=False, waits=True)
async def good(request: Chat, context: ToolContext) -> JobResult:
    """Say something."""
    return await context.run(request)
'''
BROKEN_FILES = {
    "wrong_name": (GOOD_FILE, "it has no function wrong_name, and file, function and tool have one name"),
    "bare": ("async def bare(request, context): ...\n", "its function bare has no @tool above it"),
    "lost": ("import no_such_module_anywhere\n", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
    "typo": ("def typo(:\n", "SyntaxError: invalid syntax (typo.py, line 1)"),
    "misplaced": (
        GOOD_FILE.replace("good", "misplaced").replace('toolset="chat"', 'toolset="chats"'),
        f"there is no toolset 'chats'; server/tool_definition.py has {', '.join(registry.TOOLSETS)}",
    ),
    "untyped": (
        GOOD_FILE.replace("good", "untyped").replace("request: Chat", "request: dict"),
        "what untyped takes first is not annotated with a class of ToolArguments",
    ),
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A package of tools: one good file, one of each kind that is broken."""
    name = f"tools_for_{request.node.name}"
    folder = tmp_path / name
    folder.mkdir()
    texts = {"__init__": "", "good": GOOD_FILE, **{stem: text for stem, (text, _) in BROKEN_FILES.items()}}
    for stem, text in texts.items():
        (folder / f"{stem}.py").write_text(text, "utf-8")
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    return name


def test_a_broken_file_is_left_out_with_its_reason(package: str) -> None:
    """File and reason in one line; the good one is found."""
    discovered = registry.discover(package)
    assert [definition.name for definition in discovered.definitions] == ["good"]
    assert {broken.file.stem: broken.reason for broken in discovered.broken} == {
        stem: reason for stem, (_, reason) in BROKEN_FILES.items()
    }
    assert all(str(broken) == f"{broken.file} is left out: {broken.reason}" for broken in discovered.broken)
    assert all(broken.file.is_file() for broken in discovered.broken)


def test_a_folder_that_cannot_be_read_is_left_out_as_well(package: str, tmp_path: Path) -> None:
    """The rest of the package is served."""
    folder = tmp_path / package / "broken_toolset"
    folder.mkdir()
    (folder / "__init__.py").write_text("1 / 0\n", "utf-8")
    discovered = registry.discover(package)
    assert "good" in {definition.name for definition in discovered.definitions}
    (broken,) = [broken for broken in discovered.broken if broken.file.parent == folder]
    assert broken.reason == "ZeroDivisionError: division by zero"


def test_the_server_says_which_file_it_leaves_out(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line each in the log, which goes to stderr; every command that serves tools works on."""
    discovered = registry.discover(package)

    def discover(**_: object) -> DiscoveredTools:
        return discovered

    monkeypatch.setattr(registry, "discover", discover)
    with caplog.at_level(logging.ERROR):
        app.create_server(load_settings({"ATELIER_HOME": str(tmp_path)}))
    assert sorted(caplog.messages) == sorted(map(str, discovered.broken))


def test_the_doctor_counts_it_as_wrong(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks why a tool is missing finds the file and the reason there."""
    discovered = registry.discover(package)

    def discover(**_: object) -> DiscoveredTools:
        return discovered

    monkeypatch.setattr(registry, "discover", discover)
    findings = doctor.check_tools(load_settings({"ATELIER_HOME": str(tmp_path)}))
    wrong = [finding.words for finding in findings if finding.good is False]
    assert set(wrong) >= set(map(str, discovered.broken))


def test_our_own_tools_are_all_in_order() -> None:
    """A tool that is left out would be missed by nobody's test but its own."""
    assert registry.discover().broken == []
