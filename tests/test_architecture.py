"""The arrows of the design: who may import whom, read from the code itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("requests", "jobs", "images", "providers", "emulator", "engine", "cli")

MAY_IMPORT = {
    "tools": {"requests", "jobs", "images", "providers.base"},
    "requests": set[str](),
    "images": set[str](),
    "jobs": {"requests", "images", "providers.base", "providers.routing", "providers.operation_index"},
    "providers": {"requests", "images"},
    "engine": set[str](),
    "emulator": {"engine.tasks"},
}
"""Beside itself and the plain modules of ``server/`` (errors, settings, ...)."""


def list_imports(path: Path) -> set[str]:
    """Every ``atelier`` module that a file names in an import, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name.startswith("atelier_mcp.")}


def list_files(package: str) -> list[Path]:
    """The Python files of a package."""
    folder = ROOT / "tools" if package == "tools" else ROOT / "server" / package
    return sorted(folder.rglob("*.py"))


def get_package(module: str) -> str:
    """``atelier_mcp.server.jobs.ledger`` -> ``jobs.ledger``; ``atelier_mcp.server.errors`` -> ``errors``."""
    return module.removeprefix("atelier_mcp.").removeprefix("server.")


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_the_arrows_allow(room: str) -> None:
    """tools -> jobs -> providers, and nothing back."""
    allowed = MAY_IMPORT[room] | {room}
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in list_files(room)
        for module in list_imports(path)
        if (name := get_package(module)).partition(".")[0] in {*PACKAGES, "tools"}
        and not any(name == ok or name.startswith(f"{ok}.") for ok in allowed)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_server_never_imports_the_tools() -> None:
    """The registry finds them by package, so that adding a tool touches no other file."""
    wrong = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "server").rglob("*.py")
        if any(module.startswith("atelier_mcp.tools") for module in list_imports(path))
    ]
    assert not wrong


def test_every_module_says_in_one_sentence_what_it_holds() -> None:
    """A package or a file without a docstring has no subject."""
    silent = [
        str(path.relative_to(ROOT))
        for folder in ("server", "tools", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


@pytest.mark.parametrize("name", ["httpx2", "sqlalchemy", "cv2", "numpy"])
def test_a_heavy_library_is_imported_only_where_it_is_used(name: str) -> None:
    """One HTTP stack, one database layer, one engine package."""
    homes = {
        "httpx2": ("server/providers/", "server/images/", "server/emulator/"),
        "sqlalchemy": ("server/jobs/",),
        "cv2": ("server/engine/",),
        "numpy": ("server/engine/",),
    }[name]
    wrong = [
        where
        for path in (ROOT / "server").rglob("*.py")
        if not (where := path.relative_to(ROOT).as_posix()).startswith(homes)
        and any(_imports_library(node, name) for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    ]
    assert not wrong


def _imports_library(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] == name for alias in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == name
