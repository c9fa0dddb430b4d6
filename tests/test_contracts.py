"""Every citation of a contract in code and tests names an entry of ``docs/contracts``."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
CONTRACTS: Final = ROOT / "docs" / "contracts"
FOLDERS: Final = ("server", "tools", "tests")
SERVICES: Final = ("mhapi", "miaohua", "sensenova", "sd_aws", "sd_webui", "comfyui", "openai_images")
MIN_CITATIONS: Final = 150

ENTRY_ID: Final = re.compile(r"`([^`]+)`")
CITED_ID: Final = re.compile(r"(?:GET|POST|PUT|DELETE) /\S*|[A-Za-z0-9_*<][\w.*<>-]*")
DOTTED_ID: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
MARKED_CITATION: Final = re.compile(
    r"(?:\b[Cc]ontract:|\(contract,)\s+(?P<ids>[^)]*?)(?:\)|\.?[\"']{3}|\.(?=\s|$)|$)", re.DOTALL
)
IN_BRACKETS: Final = re.compile(r"\(([^()]*)\)")
IN_WIRE_PAIRS: Final = re.compile(r'"(?:entry|note)":\s*"([^"]*)"')
HEADING: Final = re.compile(r"#+ `")


@dataclass(frozen=True, slots=True)
class Citation:
    """An entry named somewhere; ``line`` counts from 1."""

    file: Path
    line: int
    entry: str

    @property
    def place(self) -> str:
        """Where it stands: ``file:line: id``."""
        return f"{self.file.relative_to(ROOT)}:{self.line}: {self.entry}"


@cache
def read_entry_ids(page: str) -> frozenset[str]:
    """The ids a page defines: in backticks in its headings and in the column ``Entry`` of its tables."""
    found: set[str] = set()
    in_table = False
    for line in (CONTRACTS / f"{page}.md").read_text("utf-8").splitlines():
        in_table = line.startswith("|") and (in_table or line.startswith("| Entry |"))
        if HEADING.match(line):
            found.update(ENTRY_ID.findall(line)[:1])
        elif in_table:
            found.update(ENTRY_ID.findall(line.split(" | ")[0]))
    return frozenset(found)


@cache
def list_first_words() -> frozenset[str]:
    """What the dotted ids of all pages begin with; tells a bare id from other dotted words."""
    return frozenset(entry.split(".")[0] for page in SERVICES for entry in read_entry_ids(page) if "." in entry)


def list_pages(file: Path) -> tuple[str, ...]:
    """The page of the service whose folder or whose test a file is, else all of them."""
    parts = file.relative_to(ROOT).parts
    named = [service for service in SERVICES if service in parts[:-1] or parts[-1].startswith(f"test_{service}")]
    return tuple(named) or SERVICES


def is_entry(cited: str, page: str) -> bool:
    """Whether a page has the entry, by its whole id, by the end of it, or by a pattern."""
    pattern = re.sub(r"<\w+>", "*", cited)
    if "*" in pattern:
        return any(fnmatchcase(entry, pattern) for entry in read_entry_ids(page))
    return any(entry == cited or entry.endswith(f".{cited}") for entry in read_entry_ids(page))


def split_ids(listed: str) -> Iterator[str]:
    """The ids of one parenthesis: the first word of each item; what cannot be an id comes as it is, to be reported."""
    for item in re.split(r"[,;]| and ", listed):
        words = item.strip(" .\n")
        if words:
            match = CITED_ID.match(words)
            yield match.group() if match else words


def read_prose(source: str) -> Iterator[tuple[int, str]]:
    """The strings and comments of a Python file with their first lines, adjoining comment lines as one."""
    comment, begun, last = "", 0, -1
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING:
            yield token.start[0], token.string
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1:
            yield begun, comment
            comment, begun = "", token.start[0]
        comment, last = f"{comment}\n{token.string.lstrip('# ')}".lstrip("\n"), token.start[0]
    yield begun, comment


def find_in_prose(text: str) -> Iterator[tuple[int, str]]:
    """The ids a string or comment cites, each with its offset."""
    marked = list(MARKED_CITATION.finditer(text))
    for match in marked:
        yield from ((match.start(), entry) for entry in split_ids(match["ids"]))
    for match in IN_BRACKETS.finditer(text):
        if any(found.start() < match.end() and match.start() < found.end() for found in marked):
            continue
        yield from ((match.start(), entry) for entry in find_bare_ids(match[1]))


def find_bare_ids(listed: str) -> list[str]:
    """The ids in brackets that say nothing else: dotted ones that begin as an entry does."""
    items = [item.strip() for item in listed.split(",")]
    if not all(DOTTED_ID.fullmatch(item) and item.split(".")[0] in list_first_words() for item in items):
        return []
    return items


def find_in_switches(source: str) -> Iterator[tuple[int, str]]:
    """The ids in brackets that end the fields' docstrings of a class which speaks of a contract."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef) or "contract" not in (ast.get_docstring(node) or "").lower():
            continue
        for statement in node.body[1:]:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    if end := re.search(r"\(([\w.]+)\)\.$", text):
                        yield statement.lineno, end[1]
                case _:
                    pass


def find_in_python(source: str) -> Iterator[tuple[int, str]]:
    """Every citation of a Python file with its line; most files hold none and are not taken apart."""
    if "ontract" not in source and not any(find_bare_ids(match[1]) for match in IN_BRACKETS.finditer(source)):
        return
    for line, text in read_prose(source):
        yield from ((line + text.count("\n", 0, offset), entry) for offset, entry in find_in_prose(text))
    yield from find_in_switches(source)


def find_in_json(source: str) -> Iterator[tuple[int, str]]:
    """The entries the wire pairs of a file say they were seen in."""
    for match in IN_WIRE_PAIRS.finditer(source):
        is_note = match.group().startswith('"note"')
        if match[1] and not (is_note and not DOTTED_ID.fullmatch(match[1])):
            yield source.count("\n", 0, match.start()) + 1, match[1]


@cache
def find_citations() -> tuple[Citation, ...]:
    """All citations, each place once, in the order of files and lines."""
    found: set[Citation] = set()
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            if file != Path(__file__):
                found.update(Citation(file, *at) for at in find_in_python(file.read_text("utf-8")))
    for file in (ROOT / "tests" / "wire").rglob("*.json"):
        found.update(Citation(file, *at) for at in find_in_json(file.read_text("utf-8")))
    return tuple(sorted(found, key=lambda citation: (citation.file, citation.line, citation.entry)))


def test_every_citation_names_an_entry() -> None:
    lost = [c.place for c in find_citations() if not any(is_entry(c.entry, page) for page in list_pages(c.file))]
    assert not lost, "These name no entry of docs/contracts:\n" + "\n".join(lost)


def test_the_contracts_are_cited_all_over() -> None:
    """A search that finds next to nothing proves nothing."""
    assert len({citation.entry for citation in find_citations()}) >= MIN_CITATIONS
    assert {service for c in find_citations() for service in list_pages(c.file)[:1]} == set(SERVICES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One (contract: a.b, conventions.c).", ["a.b", "conventions.c"]),
        ("Wrapped (contract: a.b,\n    c).", ["a.b", "c"]),
        ("Twice (contract: a); again (contract: b_c).", ["a", "b_c"]),
        ("Bare (contract, x.y).", ["x.y"]),
        ("Contract: timing.advice.", ["timing.advice"]),
        ("Words (contract: create_model ff.), (contract: params of both).", ["create_model", "params"]),
        (
            "Patterns (contract: face.*, <service>.models, get_*_form, ...).",
            ["face.*", "<service>.models", "get_*_form"],
        ),
        ("Calls (contract: GET /inferences/{id}).", ["GET /inferences/{id}"]),
        ("Not marked (errors.403), not one (time.sleep), the contract's (as it is).", ["errors.403"]),
    ],
)
def test_citations_are_found_in_every_form(text: str, expected: list[str]) -> None:
    assert [entry for _, entry in find_in_prose(text)] == expected


def test_no_page_defines_the_same_entry_twice_in_its_headings() -> None:
    for page in SERVICES:
        lines = (CONTRACTS / f"{page}.md").read_text("utf-8").splitlines()
        ids = [ENTRY_ID.findall(line)[0] for line in lines if HEADING.match(line)]
        assert len(ids) == len(set(ids)), f"{page}.md: {sorted({entry for entry in ids if ids.count(entry) > 1})}"
