"""Figures of the code itself: ``python -m tests.bench.code_figures [ROOT] [--json] [--list WHAT]``.

Counts the Python files under ``server/`` and ``tools/`` of a checkout: this one, or any older one at ``ROOT``.

The frames of ``prompt`` are counted at run time. A client in the same process calls ``generate_image`` on a server
without keys, whose upstream is the built-in emulator over a real socket; emulator and engine are the other side of
the wire and count for nothing. Watched are the functions of ours that the event loop's thread enters between the
tool's function and the first call into httpx2 whose arguments carry the prompt. An argument or a result carries the
prompt when it is a text or bytes that contain it, or a model, dataclass, dict, list or tuple that holds such, a few
levels deep. A function is on the way when

- it stands on the stack as the request leaves, followed from each task to the function that created the task; or
- its caller is on the way and its result becomes the request: at each return the prompt inside the result is marked,
  and those whose mark arrives at httpx2 count. Bare text and bytes cannot be marked and count when their caller does.

Side trips are what else is called with the prompt: what checks it, writes it down, or words something about it.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import importlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import tokenize
from collections import defaultdict
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import CodeType, FrameType

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = ast.Module | ast.ClassDef | Function

FOLDERS: Final = ("server", "tools")
FAR_SIDE: Final = ("server/emulator/", "server/engine/")
TOOL: Final = "generate_image"
PROMPT: Final = "a lighthouse in a storm"
DEPTH: Final = 5
MARK: Final = re.compile(r"~(\d+)~")
PARTICIPLE: Final = re.compile(
    r"""(?!(bed|bleed|breed|crooked|embed|exceed|feed|heed|hundred|naked|need|proceed|ragged|red|rugged|sacred|seed|shed
        |speed|succeed|weed|anything|awning|bring|building|ceiling|clothing|during|encoding|evening|everything|fling
        |hatching|heading|king|lighting|lightning|listing|morning|nothing|padding|painting|ping|railing|ring|setting
        |sibling|sing|something|spacing|spring|sting|string|swing|thing|timing|topping|training|unknown|wing)$)
    ((re|un)?(begun|bought|bound|broken|brought|built|caught|chosen|dealt|done|drawn|driven|eaten|fallen|fed|felt
        |flown|forbidden|forgiven|forgotten|fought|found|frozen|given|gone|got|grown|heard|held|hidden|hung|kept|known
        |laid|lent|lit|lost|made|meant|met|paid|said|seen|sent|shaken|shown|shrunk|sold|sought|spent|spoken|stood
        |struck|stuck|sunk|swept|sworn|swung|taken|taught|thought|thrown|told|torn|understood|woken|won|worn|woven
        |written)
    |\w+(ed|ing))""",
    re.VERBOSE,
)
"""Not what only ends like one, is a noun, or is its verb's plain form as well: ``need``, ``build_training``,
``read``."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the code."""

    path: str
    """From the root of the checkout."""
    text: str
    tree: ast.Module

    @property
    def line_count(self) -> int:
        """All its lines."""
        return len(self.text.splitlines())

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones as well."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


@dataclass(frozen=True, slots=True)
class CodeFigure:
    """One number, and what exactly it counts."""

    key: str
    value: float
    unit: str
    meaning: str

    def format_row(self) -> str:
        """The figure as a row of the table."""
        return f"{self.key:<24} {f'{self.value:,.4g}':>7} {self.unit:<6} {self.meaning}"


@dataclass(frozen=True, slots=True)
class PromptWay:
    """The functions that hand the prompt on, in the order in which they were first called."""

    frames: list[dict[str, str]]
    """File, function and the types by which the prompt came in or went back."""
    side_trips: list[dict[str, str]]
    carriers: list[str]

    def figures(self) -> list[CodeFigure]:
        """The counts."""
        files = {frame["file"] for frame in self.frames}
        return [
            CodeFigure(
                "prompt_frames", len(self.frames), "", f"functions from {TOOL} to the request that leaves; wanted: 12"
            ),
            CodeFigure("prompt_files", len(files), "", "files these are in; wanted: 7"),
            CodeFigure("prompt_carriers", len(self.carriers), "", "types: " + ", ".join(self.carriers)),
            CodeFigure("prompt_side_trips", len(self.side_trips), "", "functions given the prompt beside the way"),
        ]

    def lines(self) -> Iterator[str]:
        """The way, then the side trips."""
        for title, visits in (("on the way", self.frames), ("side trips", self.side_trips)):
            yield f"{title}: {len(visits)}"
            for number, visit in enumerate(visits, 1):
                yield f"{number:>4} {visit['file']:<44} {visit['function']:<36} {visit['carriers']}"


def read_sources(root: Path) -> list[SourceFile]:
    """The files of the code, by path."""
    paths = chain.from_iterable(sorted((root / folder).rglob("*.py")) for folder in FOLDERS)
    texts = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in paths}
    return [SourceFile(path, text, ast.parse(text)) for path, text in texts.items()]


def count_lines(function: Function) -> int:
    """Lines from ``def`` to the end, without the docstring; 0 for a stub, which has nothing but that or ``...``."""
    documented = ast.get_docstring(function) is not None
    body = function.body[1:] if documented else function.body
    if all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body):
        return 0
    docstring_lines = _line_span(function.body[0]) if documented else 0
    return _line_span(function) - docstring_lines


def has_participle_name(function: Function) -> bool:
    """True when the name's first word is a participle; properties and dunders are left out."""
    if not _is_named_freely(function):
        return False
    return PARTICIPLE.fullmatch(function.name.strip("_").partition("_")[0]) is not None


def find_participles(sources: Iterable[SourceFile]) -> list[str]:
    """Place and name of each function named by a participle."""
    return [
        f"{source.path}:{function.lineno} {function.name}"
        for source in sources
        for function in source.functions()
        if has_participle_name(function)
    ]


def find_public_classes(sources: Iterable[SourceFile]) -> dict[str, list[str]]:
    """The files that have a public class of each name."""
    places: dict[str, list[str]] = defaultdict(list)
    for source in sources:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(source.path)
    return places


def find_shared_names(sources: Iterable[SourceFile]) -> dict[str, list[str]]:
    """The names that several public classes have, and where."""
    return {name: places for name, places in sorted(find_public_classes(sources).items()) if len(places) > 1}


def find_public_definitions(definition: Definition) -> Iterator[Definition]:
    """A module or class with the public classes, functions and methods inside; dunders are not meant."""
    yield definition
    for node in definition.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_") and not _is_setter(node):
            yield from find_public_definitions(node) if isinstance(node, ast.ClassDef) else (node,)


def count_comment_lines(text: str) -> int:
    """Lines with a comment on them, alone or behind code."""
    return sum(token.type == tokenize.COMMENT for token in tokenize.generate_tokens(io.StringIO(text).readline))


def measure_sources(sources: list[SourceFile]) -> list[CodeFigure]:
    """The figures that the text alone gives."""
    functions = [(source, function) for source in sources for function in source.functions()]
    lengths = [count_lines(function) for _, function in functions]
    bodies = [length for length in lengths if length]
    longest = max(sources, key=lambda source: source.line_count)
    place, function = functions[lengths.index(max(lengths))]
    free = [function for _, function in functions if _is_named_freely(function)]
    classes = find_public_classes(sources)
    shared = find_shared_names(sources)
    public = [node for source in sources for node in find_public_definitions(source.tree)]
    comments = sum(count_comment_lines(source.text) for source in sources)
    written = sum(bool(line.strip()) for source in sources for line in source.text.splitlines())
    return [
        CodeFigure("files", len(sources), "", "Python files under " + " and ".join(FOLDERS)),
        CodeFigure("file_lines", median(source.line_count for source in sources), "lines", "median, all lines"),
        CodeFigure("longest_file", longest.line_count, "lines", longest.path),
        CodeFigure("functions", len(functions), "", f"with methods and nested ones; {len(bodies)} have a body"),
        CodeFigure("function_lines", median(bodies), "lines", "median of those, def to end without docstring"),
        CodeFigure("longest_function", max(lengths), "lines", f"{place.path}:{function.lineno} {function.name}"),
        _share("comments", comments, written, "lines with a comment, of the lines that are not blank"),
        _share(
            "participles", sum(map(has_participle_name, free)), len(free), "functions so named; no property, no dunder"
        ),
        _share("shared_names", _total(shared), _total(classes), "public classes whose name another one has"),
        _share("docstrings", sum(map(_is_documented, public)), len(public), "public definitions, modules too"),
    ]


def _share(key: str, part: int, whole: int, meaning: str) -> CodeFigure:
    return CodeFigure(key, round(100 * part / whole, 2), "%", f"{meaning}: {part} of {whole}")


def _total(places: dict[str, list[str]]) -> int:
    return sum(map(len, places.values()))


def _line_span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_documented(definition: Definition) -> bool:
    return ast.get_docstring(definition) is not None


def _is_setter(definition: Definition) -> bool:
    """A property's setter: the property says what it is."""
    decorators = () if isinstance(definition, ast.Module) else definition.decorator_list
    return any(ast.unparse(decorator).endswith(".setter") for decorator in decorators)


def _is_named_freely(function: Function) -> bool:
    """Not by Python, and not as a value: properties are nouns."""
    is_property = any("property" in ast.unparse(decorator) for decorator in function.decorator_list)
    return bool(function.name.strip("_")) and not function.name.startswith("__") and not is_property


def trace_prompt(root: Path) -> PromptWay:
    """The way of the prompt in the checkout at ``root``, taken in a process that imports the package from there."""
    (package,) = (path.parent.name for path in (root / ".dev").glob("*/server"))
    run = subprocess.run(
        [sys.executable, "-P", __file__, str(root), "--trace", package],
        env=os.environ | {"PYTHONPATH": str(root / ".dev")},
        stdout=subprocess.PIPE,
        check=True,
    )
    return PromptWay(**json.loads(run.stdout))


async def call_traced(root: Path, package: str) -> PromptWay:
    """Make the call under watch."""
    from mcp import Client

    create_server = importlib.import_module(f"{package}.server.app").create_server
    load_settings = importlib.import_module(f"{package}.server.settings").load_settings
    tracer = PromptTracer(root)
    with tempfile.TemporaryDirectory() as home:
        async with Client(create_server(load_settings({"ATELIER_HOME": home}))) as client:
            sys.setprofile(tracer.watch)
            try:
                await client.call_tool(TOOL, {"prompt": PROMPT})
            finally:
                sys.setprofile(None)
    return tracer.way()


@dataclass(slots=True)
class Visit:
    """One call of a function of ours."""

    number: int
    file: str
    code: CodeType
    caller: FrameType | None
    arguments: set[type[object]]
    """Types of those that carry the prompt."""
    results: set[type[object]] = field(default_factory=set[type[object]])
    is_markable: bool = True


class PromptTracer:
    """Follows the prompt on the thread of the event loop."""

    def __init__(self, root: Path) -> None:
        """Look for the functions of the checkout at ``root``."""
        self._root = root.resolve()
        self._files: dict[str, str] = {}
        self._creators: dict[object, list[FrameType]] = {}
        """By task, the stack it was created on."""
        self._visits: dict[FrameType, Visit | None] = {}
        """By frame, since a coroutine is entered again each time it goes on; None for one older than the tool's."""
        self._tool: FrameType | None = None
        self._leaving: list[FrameType] = []
        self._marks: set[int] = set()

    def watch(self, frame: FrameType, event: str, result: object) -> None:
        """A profile function: what is entered, what is left and with which result, until the request has left."""
        if event == "call":
            self._enter(frame)
        elif event == "return" and frame.f_code is asyncio.BaseEventLoop.create_task.__code__:
            self._creators[result] = self._stack(frame)
        elif event == "return" and (visit := self._visits.get(frame)) and any(find_texts(result)):
            visit.results.add(type(result))
            visit.is_markable = mark_texts(result, f" ~{visit.number}~")

    def way(self) -> PromptWay:
        """What was seen. Raises ``LookupError`` when no request was seen to leave."""
        if not self._leaving:
            raise LookupError(f"no request with the prompt left in a task that {TOOL} started")
        visits = {frame: visit for frame, visit in self._visits.items() if visit is not None}
        passed: dict[FrameType, Visit] = {}
        for frame, visit in visits.items():  # callers come before what they call
            arrived = bool(visit.results) and (visit.number in self._marks or not visit.is_markable)
            if frame in self._leaving or (visit.caller in passed and arrived):
                passed[frame] = visit
        on_way = {visit.code for visit in passed.values()}
        beside = [visit for visit in visits.values() if visit.arguments and visit.code not in on_way]
        carriers = {kind for visit in passed.values() for kind in visit.arguments | visit.results}
        return PromptWay(
            _list_functions(passed.values()), _list_functions(beside), sorted(kind.__name__ for kind in carriers)
        )

    def _enter(self, frame: FrameType) -> None:
        file = self._find_file(frame.f_code)
        if not file:
            if self._tool and frame.f_globals.get("__name__", "").partition(".")[0] == "httpx2":
                self._look_for_request(frame)
        elif frame not in self._visits:
            if Path(file).stem == frame.f_code.co_name == TOOL:
                self._tool = frame
            self._visits[frame] = self._note(frame, file) if self._tool else None

    def _note(self, frame: FrameType, file: str) -> Visit:
        _, *callers = self._stack(frame)
        arguments = {type(value) for value in read_arguments(frame) if any(find_texts(value))}
        return Visit(len(self._visits), file, frame.f_code, callers[0] if callers else None, arguments)

    def _look_for_request(self, frame: FrameType) -> None:
        sent = [text for value in read_arguments(frame) for text in find_texts(value)]
        stack = self._stack(frame)
        if sent and self._tool in stack:
            self._leaving = stack
            self._marks = {int(number) for text in sent for number in MARK.findall(text)}
            sys.setprofile(None)

    def _stack(self, frame: FrameType | None) -> list[FrameType]:
        """Our frames from this one outwards, over the tasks' borders."""
        found: list[FrameType] = []
        while frame is not None:
            if self._find_file(frame.f_code):
                found.append(frame)
            frame = frame.f_back
        task = asyncio.current_task()
        return found + (self._creators.get(task, []) if task else [])

    def _find_file(self, code: CodeType) -> str:
        """The path of a function of ours; nothing for others, and for comprehensions and modules, which are none."""
        if code.co_name.startswith("<") and code.co_name != "<lambda>":
            return ""
        if code.co_filename not in self._files:
            path = Path(code.co_filename).resolve()
            file = path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else ""
            is_ours = file.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and not file.startswith(FAR_SIDE)
            self._files[code.co_filename] = file if is_ours else ""
        return self._files[code.co_filename]


def read_arguments(frame: FrameType) -> list[object]:
    """The values of a call's arguments, as they are now."""
    code = frame.f_code
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars]
    values = frame.f_locals
    return [values[name] for name in names if name in values]


def find_texts(value: Any, depth: int = DEPTH) -> Iterator[str]:
    """The texts inside a value that contain the prompt."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if isinstance(text, str):
        if PROMPT in text:
            yield text
    elif depth:
        for _, part in list_parts(value):
            yield from find_texts(part, depth - 1)


def mark_texts(value: Any, mark: str, depth: int = DEPTH) -> bool:
    """Add a mark to the texts inside a value that contain the prompt; False where there is none to be changed."""
    is_marked = False
    for key, part in list_parts(value) if depth else ():
        if not isinstance(part, str):
            is_marked |= mark_texts(part, mark, depth - 1)
        elif PROMPT in part and not isinstance(value, tuple):
            is_marked = True
            if isinstance(value, dict | list):
                value[key] = part + mark
            else:
                object.__setattr__(value, key, part + mark)
    return is_marked


def list_parts(value: Any) -> list[tuple[Any, Any]]:
    """What a container holds, with the key, index or name it is held by."""
    match value:
        case dict():
            return list(cast("dict[Any, Any]", value).items())
        case list() | tuple():
            return list(enumerate(cast("Sequence[Any]", value)))
        case type():
            return []
        case _ if is_dataclass(value):
            return [(part.name, getattr(value, part.name, None)) for part in fields(value)]
        case BaseModel():
            return list(vars(value).items())
        case _:
            return []


def _list_functions(visits: Iterable[Visit]) -> list[dict[str, str]]:
    """Each function once, with every type by which it had the prompt."""
    kinds: dict[tuple[str, CodeType], set[str]] = {}
    for visit in visits:
        names = kinds.setdefault((visit.file, visit.code), set())
        names |= {kind.__name__ for kind in visit.arguments} | {f"-> {kind.__name__}" for kind in visit.results}
    return [
        {"file": file, "function": code.co_qualname, "carriers": " ".join(sorted(names, reverse=True))}
        for (file, code), names in kinds.items()
    ]


def main(arguments: list[str]) -> None:
    """Print the table, the figures as JSON, or one of the lists behind them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.code_figures", description="Figures of the code.")
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[2], help="a checkout (this one)")
    parser.add_argument("--json", action="store_true", help="figures by name, as JSON")
    parser.add_argument("--list", choices=("participles", "shared_names", "prompt"), help="what is behind a figure")
    parser.add_argument("--trace", metavar="PACKAGE", help=argparse.SUPPRESS)  # in the process of trace_prompt
    options = parser.parse_args(arguments)
    if options.trace:
        text = json.dumps(asdict(asyncio.run(call_traced(options.root, options.trace))))
    elif options.list:
        text = "\n".join(_list(options.list, options.root))
    else:
        figures = measure_sources(read_sources(options.root)) + trace_prompt(options.root).figures()
        by_key = {figure.key: figure.value for figure in figures}
        text = json.dumps(by_key) if options.json else "\n".join(figure.format_row() for figure in figures)
    sys.stdout.write(f"{text}\n")


def _list(what: str, root: Path) -> Iterable[str]:
    match what:
        case "participles":
            return find_participles(read_sources(root))
        case "shared_names":
            return [f"{name} {' '.join(places)}" for name, places in find_shared_names(read_sources(root)).items()]
        case _:
            return trace_prompt(root).lines()


if __name__ == "__main__":
    main(sys.argv[1:])
