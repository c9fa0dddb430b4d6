"""The pages of ``docs/contracts`` as data: which calls a service has, and which parameters each of them takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACTS: Final = Path(__file__).parents[2] / "docs" / "contracts"
SENT_IN: Final = frozenset({"json", "query", "multipart"})
"""Where a parameter stands that can be seen in an access log; paths are seen by their call, headers are not noted."""

LEFT_OUT: Final = {"miaohua": ("token", "get_token")}
"""By page what its tables leave out: a parameter of every JSON body, but that of one call."""

_HEADING: Final = re.compile(r"(?P<marks>#+) (?:`(?P<id>[^`]+)`)?(?: (?P<method>[A-Z]+) (?P<path>/\S*))?")
_ROW: Final = re.compile(r"\| `(?P<name>[^`]+)` \| (?P<place>\w+) \|")
_REFERENCE: Final = re.compile(r"(?:Parameters as|it takes those of) `(?P<id>[^`]+)`")


@dataclass(frozen=True, slots=True)
class ContractCall:
    """One call; ``parameters`` are dotted names, ``[]`` after a list: ``faces[].url``."""

    id: str
    method: str
    path: str
    parameters: frozenset[str]


@dataclass(slots=True)
class _Section:
    """What stands below one heading that has an id."""

    depth: int
    method: str
    path: str
    places: dict[str, str]
    """Where each parameter of its table stands, by name."""
    references: list[str]
    """Whose parameters it has besides."""


@cache
def read_calls(page: str) -> tuple[ContractCall, ...]:
    """The calls of a page, in its order, each with what it takes in body, query and form."""
    sections = _read_sections((CONTRACTS / f"{page}.md").read_text("utf-8").splitlines())
    ordinary, but_not_in = LEFT_OUT.get(page, ("", ""))
    calls: list[ContractCall] = []
    for name, section in sections.items():
        if section.method:
            has_ordinary = ordinary and section.method == "POST" and name != but_not_in
            parameters = {*_list_parameters(name, sections), *([ordinary] if has_ordinary else [])}
            calls.append(ContractCall(name, section.method, section.path, frozenset(parameters)))
    return tuple(calls)


def _read_sections(lines: list[str]) -> dict[str, _Section]:
    """The sections by their ids; what stands below a heading without one belongs to the section around it."""
    sections: dict[str, _Section] = {}
    current: _Section | None = None
    in_parameters = False
    for line in lines:
        if heading := _HEADING.match(line):
            depth = len(heading["marks"])
            if heading["id"]:
                current = sections[heading["id"]] = _Section(
                    depth, heading["method"] or "", heading["path"] or "", {}, []
                )
            elif current is not None and depth <= current.depth:
                current = None
        in_parameters = line.startswith("|") and (in_parameters or line.startswith("| Parameter | In |"))
        if current is not None:
            current.references += [match["id"] for match in _REFERENCE.finditer(line)]
            if in_parameters and (row := _ROW.match(line)):
                current.places[row["name"]] = row["place"]
    return sections


def _list_parameters(name: str, sections: dict[str, _Section]) -> Iterator[str]:
    section = sections[name]
    yield from (parameter for parameter, place in section.places.items() if place in SENT_IN)
    for reference in section.references:
        yield from _list_parameters(reference, sections)
