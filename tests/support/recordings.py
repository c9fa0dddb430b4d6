"""Recorded answers of real services, read as stories, and the placeholders in them.

A recording is an ordered list of exchanges of one deployment (``tests/recorded/README.md``). What changes from run to
run stands as a placeholder: ``<id:3>``, ``<time>``, ``<signed link: bucket/key>``. :class:`Bindings` matches such a
text against a real one, remembers what each numbered placeholder and each link stood for, and puts these values into
the requests that follow.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDED_FOLDER: Final = Path(__file__).parents[1] / "recorded"
SD_AWS_VERSIONS: Final = ("1.3", "1.4", "1.5", "1.7")

UNKNOWN_ID: Final = "00000000-0000-4000-8000-000000000001"
"""What ``<id:1>`` is, which never existed."""
PLACEHOLDER: Final = re.compile(r"<signed link: [^<>]*(?:<[^<>]*>[^<>]*)*>|<xml error: [^<>]*>|<[a-z][^<>\n]*>")
NUMBERED: Final = re.compile(r"<(id|upload|etag|last key):(\d+)>")
FIRST_SEVEN: Final = re.compile(r"<first seven of (id:\d+)>")
PATTERNS: Final = {
    "<time>": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+",
    "<time T>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+",
    "<time TZ>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    "<time job>": r"[\d-]+",
    "<epoch>": r"\d+(?:\.\d+)?",
    "<region>": r"[\w-]+",
    "<account>": r"\d*",
    "<id>": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<upload>": r"[\w.-]+",
    "<etag>": r"[0-9a-f-]+",
    "<last key>": r"[\w+/=.-]+",
}
ANYTHING: Final = r"[\s\S]*"
LINK: Final = r"https?://\S+"
VOLATILE: Final = frozenset({"debug", "stackTrace", "TrainingTimeInSeconds", "BillableTimeInSeconds"})
"""Keys whose values are of one run, and compared by their kinds alone."""
RECORDED_MOMENTS: Final = (1_700_000_000, 1_700_000_000.123456)
"""What numbers that are times were replaced by."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, as recorded."""

    story: str
    step: int
    before: str
    """What the platform or a worker did just before; empty for nothing."""
    request: dict[str, Any]
    """``method``, ``path``, ``query``, ``headers``, ``body``."""
    response: dict[str, Any]
    """``status``, ``headers``, ``body``."""
    by: str
    """Who answered: empty for the service's own code, else ``gateway (imitated)`` or ``storage (imitated)``."""
    note: str

    @property
    def name(self) -> str:
        """Story and step: ``empty lists 3``."""
        return f"{self.story} {self.step}"


@cache
def load_exchanges(upstream: str, version: str) -> tuple[Exchange, ...]:
    """Every exchange of a version, in the order in which they were made."""
    rows = json.loads((RECORDED_FOLDER / upstream / f"v{version}.json").read_text("utf-8"))
    return tuple(
        Exchange(
            row["story"], row["step"], row.get("before") or "", row["request"], row["response"],
            row.get("by") or "", row.get("note") or "",
        )
        for row in rows
    )  # fmt: skip


def load_stories(upstream: str, version: str) -> dict[str, tuple[Exchange, ...]]:
    """The exchanges of a version by story, in order; a story may build on those before it."""
    grouped = groupby(load_exchanges(upstream, version), key=lambda exchange: exchange.story)
    return {story: tuple(exchanges) for story, exchanges in grouped}


def read_object(value: Any) -> dict[str, Any]:
    """A JSON object, typed; empty for any other document."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def collect_rows(exchanges: Iterable[Exchange]) -> dict[str, list[Any]]:
    """Every row of the lists of a recording, by the list's place in its answer: ``$.data.endpoints``."""
    rows: dict[str, list[Any]] = {}
    for exchange in exchanges:
        body = read_object(exchange.response["body"])
        for place, holder in (("$", body), ("$.data", read_object(body.get("data")))):
            for key, value in holder.items():
                if isinstance(value, list):
                    rows.setdefault(f"{place}.{key}", []).extend(cast("list[Any]", value))
    return rows


@dataclass(slots=True)
class Bindings:
    """What the placeholders of one recording stand for in one run."""

    values: dict[str, str] = field(default_factory=lambda: {"id:1": UNKNOWN_ID})
    """By kind and number, ``id:3``, or by the whole text of a link's placeholder: the value seen last."""
    fixed: dict[str, str] = field(default_factory=dict[str, str])
    """Placeholders whose value is known beforehand: ``<api key>``."""
    wanted: list[str] = field(default_factory=list[str])
    """Ids of recorded rows that no row stands for yet: pages of a table hold other rows than recorded."""
    spare: list[str] = field(default_factory=list[str])
    """Ids of rows that stand for none."""
    rows: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    """Every recorded row of each list, by the list's place in its answer: any of them may come on any page."""

    def fill(self, document: Any) -> Any:
        """A JSON document of a request with values in place of its placeholders."""
        match document:
            case str():
                return PLACEHOLDER.sub(lambda match: self._get_value(match.group()), document)
            case dict():
                return {key: self.fill(value) for key, value in cast("dict[str, Any]", document).items()}
            case list():
                return [self.fill(value) for value in cast("list[Any]", document)]
            case _:
                return document

    def match(self, recorded: str, actual: str) -> bool:
        """Whether a text fits a recorded one; binds what was not bound yet, and links anew."""
        pattern, names = self._build_pattern(recorded)
        found = re.fullmatch(pattern, actual)
        if found is None:
            return False
        for group, name in names.items():
            self.values[name] = found[group]
        return True

    def _get_value(self, placeholder: str) -> str:
        if placeholder in self.fixed:
            return self.fixed[placeholder]
        if first := FIRST_SEVEN.fullmatch(placeholder):
            return self.values[first[1]][:7]
        name = placeholder if placeholder.startswith("<signed link") else placeholder[1:-1]
        if name.startswith("etag:"):  # some are told before any file had them: wrong ones
            return self.values.get(name, "0" * 32)
        return self.values[name]

    def _build_pattern(self, recorded: str) -> tuple[str, dict[str, str]]:
        """A pattern for a recorded text, and which of its groups binds which placeholder."""
        parts: list[str] = []
        names: dict[str, str] = {}
        position = 0
        for match in PLACEHOLDER.finditer(recorded):
            parts += [re.escape(recorded[position : match.start()]), self._build_part(match.group(), names)]
            position = match.end()
        return "".join([*parts, re.escape(recorded[position:])]), names

    def _build_part(self, placeholder: str, names: dict[str, str]) -> str:
        if placeholder.startswith("<signed link"):
            return self._build_group(placeholder, LINK, names)
        if first := FIRST_SEVEN.fullmatch(placeholder):
            bound = self.values.get(first[1])
            return "[0-9a-f]{7}" if bound is None else re.escape(bound[:7])
        if numbered := NUMBERED.fullmatch(placeholder):
            name = f"{numbered[1]}:{numbered[2]}"
            if name in self.values and numbered[1] != "last key":  # the order of a table makes other keys
                return re.escape(self.values[name])
            return self._build_group(name, PATTERNS[f"<{numbered[1]}>"], names)
        return PATTERNS.get(placeholder, ANYTHING)

    def _build_group(self, name: str, pattern: str, names: dict[str, str]) -> str:
        known = next((group for group, bound in names.items() if bound == name), None)
        if known is not None:
            return f"(?P={known})"
        group = f"g{len(names)}"
        names[group] = name
        return f"(?P<{group}>{pattern})"


def describe_kinds(value: Any) -> Any:
    """A JSON document by its keys and the kinds of its values; a list by the distinct kinds of its entries."""
    match value:
        case dict():
            return {key: describe_kinds(item) for key, item in cast("dict[str, Any]", value).items()}
        case list():
            distinct = {json.dumps(describe_kinds(item), sort_keys=True) for item in cast("list[Any]", value)}
            return sorted(distinct)
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case _:
            return "null"


def find_differences(recorded: Any, actual: Any, bindings: Bindings, place: str = "$") -> list[str]:
    """Where a document differs from a recorded one, each with its place; empty when it fits.

    Keys, kinds, numbers and words must be those recorded, placeholders must fit. Rows of a list are compared by number
    and by their kinds where they are not the recorded ones in the recorded order: tables give them in any.
    """
    if isinstance(recorded, str) and isinstance(actual, str):
        return [] if bindings.match(recorded, actual) else [f"{place}: {actual!r:.300} for {recorded!r:.300}"]
    if describe_kinds(recorded) in ("number", "boolean", "null") or type(recorded) is not type(actual):
        is_same = _is_same_value(recorded, actual)
        return [] if is_same else [f"{place}: {actual!r:.300} for {recorded!r:.300}"]
    if isinstance(recorded, dict):
        return _find_in_object(cast("dict[str, Any]", recorded), cast("dict[str, Any]", actual), bindings, place)
    return _find_in_list(cast("list[Any]", recorded), cast("list[Any]", actual), bindings, place)


def _is_same_value(recorded: Any, actual: Any) -> bool:
    if describe_kinds(recorded) != describe_kinds(actual) or isinstance(recorded, dict | list | str):
        return False
    return recorded in RECORDED_MOMENTS or recorded == actual


def _find_in_object(recorded: dict[str, Any], actual: dict[str, Any], bindings: Bindings, place: str) -> list[str]:
    found = [f"{place}.{key}: missing" for key in recorded.keys() - actual.keys()]
    found += [f"{place}.{key}: not recorded" for key in actual.keys() - recorded.keys()]
    for key in recorded.keys() & actual.keys():
        if key in VOLATILE:
            is_same = key == "stackTrace" or describe_kinds(recorded[key]) == describe_kinds(actual[key])
            found += [] if is_same else [f"{place}.{key}: of another kind"]
            continue
        found += find_differences(recorded[key], actual[key], bindings, f"{place}.{key}")
    return sorted(found)


def _find_in_list(recorded: list[Any], actual: list[Any], bindings: Bindings, place: str) -> list[str]:
    if len(recorded) != len(actual):
        return [f"{place}: {len(actual)} entries for {len(recorded)}"]
    trial = Bindings(dict(bindings.values), bindings.fixed)
    found = [
        difference
        for index, (one, other) in enumerate(zip(recorded, actual, strict=True))
        for difference in find_differences(one, other, trial, f"{place}[{index}]")
    ]
    if not found:
        bindings.values.update(trial.values)
        return []
    if not all(isinstance(row, dict) for row in [*recorded, *actual]):
        return found
    is_same = describe_kinds(recorded) == describe_kinds(actual)
    rows = [*recorded, *bindings.rows.get(place, ())]
    if not is_same and not all(any(_is_row_like(row, other) for row in rows) for other in actual):
        return [f"{place}: rows of other kinds; {found[0]}"]
    _bind_rows(recorded, actual, bindings)
    return []


def _is_row_like(recorded: Any, actual: Any) -> bool:
    """Whether a row has the keys of a recorded one and values of its kinds; what is not set in either fits all."""
    if recorded is None or actual is None or recorded == {} or actual == {}:
        return True
    if isinstance(recorded, dict) and isinstance(actual, dict):
        one, other = cast("dict[str, Any]", recorded), cast("dict[str, Any]", actual)
        return one.keys() == other.keys() and all(_is_row_like(one[key], other[key]) for key in one)
    if isinstance(recorded, list) and isinstance(actual, list) and (not recorded or not actual):
        return True
    return describe_kinds(recorded) == describe_kinds(actual)


def _bind_rows(recorded: list[Any], actual: list[Any], bindings: Bindings) -> None:
    """Let ids of rows in any order stand for rows that no other id stands for."""
    key = next((name for name in recorded[0] if recorded[0][name] and str(recorded[0][name]).startswith("<id:")), None)
    if key is None:
        return
    names = [str(row[key])[1:-1] for row in recorded]
    bindings.wanted += [name for name in names if name not in bindings.values and name not in bindings.wanted]
    taken = {*bindings.values.values(), *bindings.spare}
    bindings.spare += [row[key] for row in actual if row[key] not in taken]
    while bindings.wanted and bindings.spare:
        bindings.values[bindings.wanted.pop(0)] = bindings.spare.pop(0)
