"""Who imports whom: every import statement of our own modules, read from the sources without running them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

ROOT: Final = Path(__file__).parent.parent.parent
PACKAGE: Final = "atelier_mcp"

ImportKind = Literal["load", "types", "call"]
"""When an import happens: as its module loads, for the type checker only, or when a function is called."""


@dataclass(frozen=True, slots=True)
class Import:
    """One module imported by another; ``target`` is a full dotted name, of ours or of a library."""

    source: str
    target: str
    kind: ImportKind
    line: int

    def __str__(self) -> str:
        when = {"load": "", "types": " (for types)", "call": " (in a function)"}[self.kind]
        return f"{self.source}:{self.line} imports {self.target}{when}"


def find_modules(root: Path = ROOT) -> dict[str, Path]:
    """Our modules by dotted name. A package goes by its own name, without ``__init__``."""
    modules = {PACKAGE: root / ".dev" / PACKAGE / "__init__.py"}
    for folder in ("server", "tools"):
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            modules[".".join((PACKAGE, *(parts[:-1] if parts[-1] == "__init__" else parts)))] = path
    return modules


def read_imports(modules: Mapping[str, Path]) -> list[Import]:
    """All imports of these modules."""
    return [
        found
        for name, path in modules.items()
        for found in find_imports(path.read_text("utf-8"), name, is_package=path.name == "__init__.py", modules=modules)
    ]


def find_imports(text: str, name: str, *, is_package: bool = False, modules: Collection[str] = ()) -> list[Import]:
    """The imports in the source text of the module called ``name``.

    ``modules`` are the names that exist: by them ``from x import y`` is told to import the module ``x.y``, or a name
    out of ``x``.
    """
    package = name if is_package else name.rpartition(".")[0]
    return [
        Import(name, target, kind, node.lineno)
        for node, kind in _walk([ast.parse(text)], "load")
        for target in _list_targets(node, package, modules)
    ]


def _walk(nodes: Iterable[ast.AST], kind: ImportKind) -> Iterator[tuple[ast.stmt | ast.expr, ImportKind]]:
    """These nodes and all below them, with when they run."""
    for node in nodes:
        if isinstance(node, ast.stmt | ast.expr):
            yield node, kind
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            yield from _walk(node.body, "types")
            yield from _walk(node.orelse, kind)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            # Within a function under TYPE_CHECKING nothing ever runs: that stays an import for types.
            yield from _walk(ast.iter_child_nodes(node), "types" if kind == "types" else "call")
        else:
            yield from _walk(ast.iter_child_nodes(node), kind)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _list_targets(node: ast.stmt | ast.expr, package: str, modules: Collection[str]) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            base = _resolve(package, "." * level + (module or ""))
            for alias in names:
                submodule = f"{base}.{alias.name}"
                yield submodule if submodule in modules else base
        case ast.Call(func=ast.Name(id="import_module" | "__import__"), args=[argument, *_]):
            yield from _read_literal(argument, package)
        case ast.Call(func=ast.Attribute(attr="import_module"), args=[argument, *_]):
            yield from _read_literal(argument, package)
        case _:
            return


def _read_literal(argument: ast.expr, package: str) -> Iterator[str]:
    """The module a call names in so many words; of ``f"a.b.{name}"``, the package that is fixed in it."""
    match argument:
        case ast.Constant(value=str(name)):
            yield _resolve(package, name)
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]) if "." in start:
            yield _resolve(package, start.rpartition(".")[0])
        case _:
            return


def _resolve(package: str, name: str) -> str:
    """The full name of one that may begin with dots, as seen from a package."""
    bare = name.lstrip(".")
    level = len(name) - len(bare)
    if level == 0:
        return bare
    parents = package.split(".")[: package.count(".") + 2 - level]
    return ".".join([*parents, *([bare] if bare else [])])


def find_circles(imports: Iterable[Import], modules: Collection[str]) -> list[tuple[str, ...]]:
    """Groups of modules each of which reaches all others of its group by imports, sorted.

    Importing ``a.b.c`` also runs ``a`` and ``a.b``. That counts, except for packages the importer itself lies in: those
    are being loaded already, and a package that gathers names from its own modules is no circle.
    """
    edges: dict[str, set[str]] = {name: set() for name in modules}
    for found in imports:
        edges[found.source] |= {name for name in _list_loaded(found) if name in edges and name != found.source}
    reached = {name: _find_reachable(edges, name) for name in edges}
    groups = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in edges
        if name in reached[name]
    }
    return sorted(groups)


def _list_loaded(found: Import) -> Iterator[str]:
    """What an import runs: its target, and the packages around it that are not around the importer."""
    yield found.target
    parent = found.target.rpartition(".")[0]
    while parent:
        if not found.source.startswith(f"{parent}.") and found.source != parent:
            yield parent
        parent = parent.rpartition(".")[0]


def _find_reachable(edges: Mapping[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = edges[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached
