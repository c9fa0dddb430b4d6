"""The emulated services are found by their folders, which all have one shape."""

from __future__ import annotations

import ast
import asyncio
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server import emulator as package
from atelier_mcp.server.emulator.upstreams import collect_client_settings, find_upstreams
from tests.support.emulator_harness import BOUND_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from tests.support.emulator_harness import EmulatorHarness

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

PACKAGE = package.__name__
ROOT = Path(str(package.__file__)).parent
FOLDERS = sorted(path.parent for path in ROOT.glob("*/app.py"))
SHAPE = {"__init__", "app", "auth", "calls", "errors", "models", "parameters", "switches"}

TOY = '''
"""A service that says hello."""
from dataclasses import dataclass
from starlette.responses import JSONResponse
from starlette.routing import Route
from atelier_mcp.server.emulator.accounts import Account
from atelier_mcp.server.emulator.upstreams import EmulatedUpstream

@dataclass(frozen=True)
class ToySwitches:
    word: str = "hello"

def build_routes(emulator):
    async def greet(request):
        known = emulator.accounts.find_by_secret(request.headers.get("key", ""))
        word = emulator.settings.get_switches(ToySwitches).word
        return JSONResponse({"word": word, "caller": known.access_key if known else None})
    return [Route("/greet", greet)]

UPSTREAM = EmulatedUpstream(
    name="toy", contract="toy_v1", build_routes=build_routes, build_error_body=lambda status: {"oh": status},
    switches=ToySwitches, accounts=(Account("toy-demo", "toy-key"),),
    build_client_settings=lambda base_url: {"TOY_URL": base_url},
)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """A folder beside the others, in another place of the disk."""
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__init__.py").write_text('"""A toy."""')
    (tmp_path / "toy" / "app.py").write_text(TOY)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    yield
    for name in ("toy", "toy.app"):
        sys.modules.pop(f"{PACKAGE}.{name}", None)


@pytest.mark.usefixtures("toy")
async def test_a_folder_more_is_a_service_more(new_site: NewSite, tmp_path: Path) -> None:
    """Routes, account, switches, faults, access log and exports: no other file is touched for any of them."""
    site = await new_site(access_log=tmp_path / "access.jsonl")

    async def greet() -> Any:
        return (await site.client.get("/toy/greet", headers={"key": "toy-key"})).json()

    assert await greet() == {"word": "hello", "caller": "toy-demo"}
    changed = await site.call_control("PATCH", "/settings", {"toy": {"word": "salut"}, "task_seconds": 3})
    assert (changed["toy"], changed["task_seconds"]) == ({"word": "salut"}, 3)
    assert (await greet())["word"] == "salut"
    await site.call_control("POST", "/faults", {"kind": "status", "status": 503, "path": "/toy/*"})
    assert await greet() == {"oh": 503}
    assert collect_client_settings("http://here")["TOY_URL"] == "http://here/toy"
    async with asyncio.timeout(BOUND_S):
        while '"upstream": "toy_v1"' not in (tmp_path / "access.jsonl").read_text():
            await greet()


async def test_the_settings_name_every_service_once_with_its_switches(site: EmulatorHarness) -> None:
    shown = await site.call_control("GET", "/settings")
    assert [name for name, value in shown.items() if isinstance(value, dict)] == list(find_upstreams())
    assert "switches" not in shown
    response = await site.client.patch("/_control/settings", json={"switches": []})
    assert response.status_code == 400


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_folder_has_the_shape_of_all(folder: Path) -> None:
    assert {path.stem for path in folder.glob("*.py")} >= SHAPE
    statements = ast.parse((folder / "__init__.py").read_text("utf-8")).body
    assert len(statements) == 1, "the __init__ holds its sentence and nothing else"
    assert find_upstreams()[folder.name].name == folder.name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_of_a_folder_others_import_its_app_alone(folder: Path) -> None:
    inside = f"{PACKAGE}.{folder.name}"
    wrong = [
        f"{module} imports {name}"
        for module, names in read_imports().items()
        if not module.startswith(f"{inside}.")
        for name in names
        if (name == inside or name.startswith(f"{inside}.")) and name != f"{inside}.app"
    ]
    assert not wrong


def test_no_two_modules_import_each_other() -> None:
    """Not even for their types, or inside a function."""
    try:
        TopologicalSorter(read_imports()).prepare()
    except CycleError as err:
        pytest.fail(" -> ".join(err.args[1]))


def read_imports() -> dict[str, set[str]]:
    """The emulator's modules, each with those of them that it imports in any form."""
    files = {".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)): path for path in ROOT.rglob("*.py")}
    return {module: set(list_imports(path, known=set(files))) - {module} for module, path in files.items()}


def list_imports(path: Path, *, known: set[str]) -> list[str]:
    """What a file imports of the emulator: the module where a module's name stands, else the package."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom)]
    named = [(node.module or "", alias.name) for node in nodes for alias in node.names]
    found = [f"{module}.{name}" if f"{module}.{name}" in known else module for module, name in named]
    return [name for name in found if name.startswith(f"{PACKAGE}.")]
