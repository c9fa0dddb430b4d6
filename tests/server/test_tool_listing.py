"""The list of tools is the same kept or made anew, and is made anew when anything it depends on changes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.tool_results import get_refusal

if TYPE_CHECKING:
    import mcp_types as types

CHECKOUT = Path(__file__).parents[2]
START = """
import sys
from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.tool_results import get_refusal
create_server(load_settings({"ATELIER_HOME": sys.argv[1]}))
print("loads tools" if "atelier_mcp.server.registry" in sys.modules else "reads the kept list")
"""


async def list_tools(home: Path, **environ: str) -> list[types.Tool]:
    """What a server that is started now tells its client."""
    server = create_server(load_settings({"ATELIER_HOME": str(home)} | environ))
    async with Client(server) as client:
        return (await client.list_tools()).tools


def find_kept_lists(home: Path) -> list[Path]:
    return sorted((home / "cache").glob("tools-*"))


def start_server(home: Path, package_folder: Path = CHECKOUT / ".dev") -> str:
    """Start one in a process of its own, and say where its list came from."""
    command = [sys.executable, "-c", START, str(home)]
    environ = {"PYTHONPATH": str(package_folder), "PATH": ""}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def package_copy(tmp_path: Path) -> Path:
    """The package in a folder of its own, whose files may be changed."""
    shutil.copytree(CHECKOUT / ".dev", tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__", "engine"))
    return tmp_path / "copy"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"ATELIER_TOOLSETS": "all"},
        {"MHAPI_KEY_ID": "id", "MHAPI_KEY_SECRET": "a secret of the tests", "ATELIER_TOOLSETS": "create,models"},
    ],
)
async def test_a_kept_list_is_the_list(tmp_path: Path, environ: dict[str, str]) -> None:
    made = await list_tools(tmp_path, **environ)
    assert len(find_kept_lists(tmp_path)) == 1
    assert await list_tools(tmp_path, **environ) == made
    assert {tool.name for tool in made} >= {"generate_image", "list_models"}


def test_a_second_start_loads_no_tool(tmp_path: Path) -> None:
    assert [start_server(tmp_path), start_server(tmp_path)] == ["loads tools", "reads the kept list"]


async def test_a_tool_of_a_kept_list_is_loaded_with_its_first_call(tmp_path: Path) -> None:
    await list_tools(tmp_path)
    server = create_server(load_settings({"ATELIER_HOME": str(tmp_path)}))
    async with Client(server) as client:
        wrong = await client.call_tool("list_jobs", {"limit": 0, "colour": "red"})
        right = await client.call_tool("list_jobs", {"limit": 3})
    assert wrong.is_error
    assert "colour" in get_refusal(wrong)
    assert not right.is_error


async def test_other_settings_have_lists_of_their_own(tmp_path: Path) -> None:
    everything = await list_tools(tmp_path, ATELIER_TOOLSETS="all")
    some = await list_tools(tmp_path, ATELIER_TOOLSETS="jobs")
    assert {tool.name for tool in some} < {tool.name for tool in everything}
    assert len(find_kept_lists(tmp_path)) == 2


@pytest.mark.parametrize(
    ("environ", "is_said"),
    [({}, True), ({"ATELIER_TOOLSETS": "all"}, False), ({"SD_WEBUI_URL": "http://127.0.0.1:9"}, False)],
    ids=["off", "on", "no service trains"],
)
def test_training_that_is_switched_off_is_said_at_the_start(
    tmp_path: Path, environ: dict[str, str], *, is_said: bool
) -> None:
    """Its tools are not listed, and nobody asks for what is not there."""
    server = create_server(load_settings({"ATELIER_HOME": str(tmp_path)} | environ))
    assert ("Training of styles is switched off" in (server.instructions or "")) is is_said


@pytest.mark.parametrize("damage", [b"", b"{", b"[]extra", b'[{"module": 1}]', b'{"a": 1}', b"\xff\xfe"])
async def test_a_kept_list_that_cannot_be_read_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    made = await list_tools(tmp_path)
    (kept,) = find_kept_lists(tmp_path)
    intact = kept.read_bytes()
    kept.write_bytes(damage)
    assert await list_tools(tmp_path) == made
    assert kept.read_bytes() == intact


async def test_where_nothing_can_be_kept_the_list_is_served_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert {tool.name for tool in await list_tools(tmp_path)} >= {"generate_image"}


async def test_the_eight_newest_lists_are_kept(tmp_path: Path) -> None:
    toolsets = ["create", "edit", "hands", "faces", "understand", "chat", "jobs", "library", "models", "train"]
    for toolset in toolsets:
        await list_tools(tmp_path, ATELIER_TOOLSETS=toolset)
    names = [{entry["tool"]["name"] for entry in json.loads(path.read_bytes())} for path in find_kept_lists(tmp_path)]
    assert len(names) == 8
    assert not any("generate_image" in found for found in names)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("tools/list_jobs.py", "newest first", "latest first"),
        ("server/requests/create.py", "class GenerateImage", "# a comment\n\n\nclass GenerateImage"),
        ("server/providers/mhapi/spec.py", "from __future__", "# a comment\nfrom __future__"),
    ],
)
def test_a_changed_source_file_makes_a_new_list(
    tmp_path: Path, package_copy: Path, file: str, before: str, after: str
) -> None:
    home = tmp_path / "home"
    assert [start_server(home, package_copy), start_server(home, package_copy)][1] == "reads the kept list"
    source = package_copy / "atelier_mcp" / file
    changed = source.read_text("utf-8").replace(before, after)
    assert changed != source.read_text("utf-8")
    source.write_text(changed, "utf-8")
    assert start_server(home, package_copy) == "loads tools"


def test_a_list_without_a_broken_tool_is_not_kept(tmp_path: Path, package_copy: Path) -> None:
    home = tmp_path / "home"
    (package_copy / "atelier_mcp/tools/view_image.py").write_text("this is no Python", "utf-8")
    assert [start_server(home, package_copy), start_server(home, package_copy)] == ["loads tools", "loads tools"]
    assert find_kept_lists(home) == []
