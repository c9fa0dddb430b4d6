"""The layers of the design: who may import whom, read from the sources themselves.

A module may import from its own layer and from those below it. Beside the layers stand two parts that share no model
with them: the engine, and the emulator, which knows of the engine its task types alone. They share the reading of
picture files with the server, and nothing else.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.import_graph import ROOT, Import, find_circles, find_imports, find_modules, read_imports

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.import_graph import ImportKind

LAYERS: Final = (
    {
        "",
        "requests",
        "errors",
        "error_reasons",
        "disk_errors",
        "addresses",
        "clock",
        "logs",
        "principals",
        "private_files",
        "scopes",
        "validation",
        "views",
        "workers",
    },
    {"images"},
    {"providers", "settings"},
    {"jobs"},
    {
        "tools",
        "registry",
        "resources",
        "approval",
        "cancel_outcome",
        "mcp_tasks",
        "schemas",
        "argument_coercion",
        "completions",
        "icons",
        "message_lines",
        "prompts",
        "resource_content",
        "stdio",
        "call_options",
        "job_data",
        "job_result",
        "idle_settings",
        "libraries",
        "progress",
        "protocol_revisions",
        "service_host",
        "local_folders",
        "services",
        "tool_answer",
        "tool_arguments",
        "tool_call",
        "tool_context",
        "tool_definition",
        "tool_listing",
        "tool_names",
        "tool_plan",
        "tool_server",
        "tool_result",
    },
    {
        "app",
        "cli",
        "http_connections",
        "provider_factory",
        "retention",
        "service_opening",
        "web",
        "__main__",
        "testing",
    },
)
"""From the lowest to the highest: folders and modules of ``server/``, and ``tools``. "" is the root package itself."""

BESIDE_THE_LAYERS: Final = {
    "engine": {"errors", "images.decode", "images.pixels", "workers.limits", "workers.messages", "workers.pool"},
    "emulator": {
        "errors",
        "engine.tasks",
        "images.download",
        "images.edges",
        "images.probe",
        "images.workers",
        "disk_errors",
        "private_files",
    },
}
"""What each of these may import besides itself. Only the highest layer may import them.

How a picture lies and what its colours are is read from its file in one place: nobody's protocol has a say in it. Nor
has it in which links may be followed.
"""

NOT_EVEN_BELOW: Final = {"images": {"requests"}}
"""What a layer may not import although it lies below."""

LIGHT_ENGINE_MODULES: Final = {"engine", "engine.pool", "engine.tasks"}
"""The others load OpenCV and NumPy, and are at home in the worker processes."""


@cache
def list_imports() -> tuple[Import, ...]:
    """Every import in our modules."""
    return tuple(read_imports(find_modules()))


@cache
def list_own_imports() -> tuple[Import, ...]:
    """Every import of one of our modules by another."""
    return tuple(found for found in list_imports() if found.target.partition(".")[0] == "atelier_mcp")


def shorten(module: str) -> str:
    """``atelier_mcp.server.jobs.ledger`` -> ``jobs.ledger``; ``atelier_mcp.tools.chat`` -> ``tools.chat``."""
    return module.removeprefix("atelier_mcp").removeprefix(".").removeprefix("server").removeprefix(".")


def get_unit(module: str) -> str:
    """The folder of ``server/``, or the module in it, that a module belongs to."""
    return shorten(module).partition(".")[0]


def get_rank(module: str) -> int | None:
    """The number of the module's layer; None when it has none."""
    return next((rank for rank, units in enumerate(LAYERS) if get_unit(module) in units), None)


def report(found: Iterable[Import]) -> str:
    """The imports, one a line."""
    return "\n".join(sorted({str(one) for one in found}))


def test_every_module_has_a_layer() -> None:
    homeless = {get_unit(module) for module in find_modules() if get_rank(module) is None} - BESIDE_THE_LAYERS.keys()
    assert not homeless, f"name their layer in LAYERS: {', '.join(sorted(homeless))}"


@pytest.mark.parametrize("rank", range(len(LAYERS)))
def test_a_layer_imports_nothing_above_it(rank: int) -> None:
    """cli, web, app > tools, registry > jobs > providers > images > requests, errors."""
    wrong = [
        found
        for found in list_own_imports()
        if get_rank(found.source) == rank and (target := get_rank(found.target)) is not None and target > rank
    ]
    assert not wrong, report(wrong)


@pytest.mark.parametrize("unit", NOT_EVEN_BELOW)
def test_a_layer_leaves_some_lower_ones_alone(unit: str) -> None:
    """What images are does not depend on what can be asked."""
    wrong = [
        found
        for found in list_own_imports()
        if get_unit(found.source) == unit and get_unit(found.target) in NOT_EVEN_BELOW[unit]
    ]
    assert not wrong, report(wrong)


@pytest.mark.parametrize("unit", BESIDE_THE_LAYERS)
def test_engine_and_emulator_share_nothing_with_the_server(unit: str) -> None:
    """An error in a model that both sides of the wire used would be invisible to every test."""
    wrong = [
        found
        for found in list_own_imports()
        if get_unit(found.source) == unit
        and get_unit(found.target) != unit
        and shorten(found.target) not in BESIDE_THE_LAYERS[unit]
    ]
    assert not wrong, report(wrong)


@pytest.mark.parametrize("unit", BESIDE_THE_LAYERS)
def test_only_the_highest_layer_starts_engine_and_emulator(unit: str) -> None:
    """The server works the same against the real services."""
    top = len(LAYERS) - 1
    wrong = [
        found
        for found in list_own_imports()
        if get_unit(found.target) == unit and get_rank(found.source) not in {None, top}
    ]
    assert not wrong, report(wrong)


def test_from_outside_only_the_light_modules_of_the_engine_are_imported() -> None:
    wrong = [
        found
        for found in list_own_imports()
        if get_unit(found.target) == "engine"
        and get_unit(found.source) != "engine"
        and shorten(found.target) not in LIGHT_ENGINE_MODULES
    ]
    assert not wrong, report(wrong)


def test_the_server_never_names_the_tools() -> None:
    """The registry finds them by their package, so that adding a tool touches no other file."""
    wrong = [
        found for found in list_own_imports() if get_unit(found.target) == "tools" and get_unit(found.source) != "tools"
    ]
    assert not wrong, report(wrong)


def test_a_single_provider_is_named_in_its_own_folder_alone() -> None:
    """They are found, so that adding an upstream is one folder."""
    folders = {
        shorten(module): module
        for module, path in find_modules().items()
        if path.name == "__init__.py" and path.parent.parent == ROOT / "server" / "providers"
    }
    assert folders
    wrong = [
        found
        for found in list_own_imports()
        for folder in folders.values()
        if f"{found.target}.".startswith(f"{folder}.") and not f"{found.source}.".startswith(f"{folder}.")
    ]
    assert not wrong, report(wrong)


def test_no_modules_import_each_other_as_they_load() -> None:
    """Which of them is imported first would decide whether it works."""
    circles = find_circles((found for found in list_own_imports() if found.kind == "load"), find_modules())
    assert not circles, "\n".join(" <-> ".join(circle) for circle in circles)


def test_no_modules_import_each_other_for_types_or_in_functions() -> None:
    """Such a circle loads, but its modules can only be understood, tested and moved together."""
    circles = find_circles(list_own_imports(), find_modules())
    assert not circles, "\n".join(" <-> ".join(circle) for circle in circles)


def test_every_module_says_in_one_sentence_what_it_holds() -> None:
    """A package or a file without a docstring has no subject."""
    silent = [
        str(path.relative_to(ROOT))
        for folder in ("server", "tools", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("httpx2", {"providers", "images", "emulator", "testing", "web"}),
        ("sqlalchemy", {"jobs"}),
        ("cv2", {"engine"}),
        ("numpy", {"engine"}),
    ],
)
def test_a_heavy_library_is_imported_only_where_it_is_used(library: str, homes: set[str]) -> None:
    """One HTTP stack, one database layer, one engine package."""
    wrong = [
        found
        for found in list_imports()
        if found.target.partition(".")[0] == library and get_unit(found.source) not in homes
    ]
    assert not wrong, report(wrong)


@pytest.mark.parametrize(
    ("text", "target", "kind"),
    [
        ("import p.a.b", "p.a.b", "load"),
        ("import p.a.b as c", "p.a.b", "load"),
        ("from p.a import b", "p.a.b", "load"),
        ("from p.a import name", "p.a", "load"),
        ("from p.a.b import *", "p.a.b", "load"),
        ("from . import b", "p.a.b", "load"),
        ("from .b import name", "p.a.b", "load"),
        ("from ..a import b", "p.a.b", "load"),
        ("from .. import name", "p", "load"),
        ("try:\n    import p.a.b\nexcept ImportError: pass", "p.a.b", "load"),
        ("class C:\n    import p.a.b", "p.a.b", "load"),
        ("def f():\n    from p.a import b", "p.a.b", "call"),
        ("async def f():\n    import p.a.b", "p.a.b", "call"),
        ("if TYPE_CHECKING:\n    from p.a import b", "p.a.b", "types"),
        ("if typing.TYPE_CHECKING:\n    import p.a.b", "p.a.b", "types"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import p.a.b", "p.a.b", "load"),
        ("importlib.import_module('p.a.b')", "p.a.b", "load"),
        ("import_module('.b', __package__)", "p.a.b", "load"),
        ("def f():\n    return importlib.import_module('p.a.b').x", "p.a.b", "call"),
        ("f = lambda: __import__('p.a.b')", "p.a.b", "call"),
        ("def f(x):\n    return importlib.import_module(f'p.a.{x}')", "p.a", "call"),
    ],
)
def test_every_form_of_import_is_seen(text: str, target: str, kind: ImportKind) -> None:
    found = find_imports(text, "p.a.source", modules={"p", "p.a", "p.a.b", "p.a.source"})
    assert [(one.target, one.kind) for one in found] == [(target, kind)]


def test_a_circle_through_a_package_is_found() -> None:
    """Importing ``p.b.x`` runs ``p.b`` first, which imports ``p.a`` again."""
    imports = [Import("p.a", "p.b.x", "load", 1), Import("p.b", "p.a", "load", 1)]
    assert find_circles(imports, {"p.a", "p.b", "p.b.x"}) == [("p.a", "p.b")]


def test_a_package_that_imports_one_of_its_own_by_a_computed_name_is_no_circle() -> None:
    """Which one is not known; what is seen is the package."""
    assert not find_circles([Import("p", "p", "call", 1)], {"p", "p.a"})


def test_a_package_that_gathers_names_from_its_own_modules_is_no_circle() -> None:
    imports = [Import("p", "p.a", "load", 1), Import("p.a", "p.b", "load", 1)]
    assert not find_circles(imports, {"p", "p.a", "p.b"})
