"""Every command of ours that a page shows is one that the program takes, down to the values of a call's arguments."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from atelier_mcp.server import registry
from atelier_mcp.server.cli import call_arguments
from atelier_mcp.server.cli.hosts.catalog import find_host
from atelier_mcp.server.cli.parser import parse_command_line

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/README.md")])
DEFINITIONS = {tool.name: tool for tool in registry.discover().definitions}
PROVIDERS = ("mhapi", "paint")
"""One of ours, and that of the example package."""
NEW_TOOL = "compare_images"
"""What the guide to adding one adds."""
STANDS_FOR = {"img_...": "img_aaaaaaaaaaaaaaaa", "job_...": "job_aaaaaaaaaaaaaaaa", "$seed": "7"}
"""What a reader puts in, with something that could be there."""


def find_commands(page: Path) -> list[str]:
    """What stands in the blocks for a shell behind ``atelier``, of a line by itself or behind a pipe or settings."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    starts = re.compile(r"(?:^|\| |; do |\s)(?:\S*/)?atelier (?=[a-z])(.*)")
    found = [
        match[1]
        for line in lines
        if not line.startswith(("#", "claude ", "docker ")) and (match := starts.search(line))
    ]
    return [re.split(r"[;|)]\s*(?:done|$)", command)[0] for command in found]


COMMANDS = [
    pytest.param(command, id=f"{page.relative_to(ROOT)}: {command[:60]}")
    for page in PAGES
    for command in dict.fromkeys(find_commands(page))
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_on_a_page_is_understood(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("story.txt").write_text("a paper boat", "utf-8")
    for placeholder, value in STANDS_FOR.items():
        command = command.replace(placeholder, value)
    arguments = parse_command_line(shlex.split(command, comments=True))
    if arguments.command == "call" and arguments.tool != NEW_TOOL:
        check_call(arguments.tool, arguments.arguments)
    if arguments.command == "setup":
        assert [name for name in arguments.hosts if find_host(name) is None] == []


def check_call(name: str, pairs: list[str]) -> None:
    flat = DEFINITIONS[name].build_arguments(providers=PROVIDERS)
    properties: dict[str, Any] = flat.build_schema()["properties"]
    values = {
        argument: call_arguments.read_value(argument, text, properties[argument])
        for argument, text in call_arguments.parse_pairs(pairs).items()
        if not text.startswith("@-")
    }
    if any(pair.endswith("@-") for pair in pairs):
        values["image"] = STANDS_FOR["img_..."]
    flat.parse(values)


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMANDS) > 80
