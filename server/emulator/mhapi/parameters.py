"""How a table of parameters is written down, and how a request is held against it.

A table is a tuple of :class:`Parameter`; each has a rule that says what its value may be. Reading a document by a table
fills in the defaults and refuses, with code 3, whatever the table does not allow. An explicit 0 is a value like any
other (shared.zero_values).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast

from atelier_mcp.server.emulator.json_numbers import is_finite_number, parse_integer
from atelier_mcp.server.emulator.mhapi.errors import invalid_parameter
from atelier_mcp.server.emulator.sources import SourceRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.mhapi.switches import MhapiSwitches

ParameterTable: TypeAlias = "tuple[Parameter, ...]"
Values: TypeAlias = dict[str, Any]
WIDE: Final = frozenset("WF")
"""The classes of Unicode's East Asian Width that count as two."""
DEFAULT_PAGE: Final = 10
ANY_SOURCE: Final = SourceRule()
"""A source picture where the contract says nothing special."""


class ParameterRule(Protocol):
    """What a value may be."""

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> Any:
        """The value to work with; raises MhapiHttpError naming the place."""
        ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of a table of parameters."""

    name: str
    rule: ParameterRule
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class TextRule:
    """A string; ``width`` counts a Chinese character as two, ``length`` counts code points."""

    width: int | None = None
    length: int | None = None
    may_be_empty: bool = False

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> str:
        """The string."""
        if not isinstance(value, str):
            raise invalid_parameter(f"{place} must be a string")
        if not value and not self.may_be_empty:
            raise invalid_parameter(f"{place} must not be empty")
        if self.width is not None:
            width = len(value) if switches.prompt_code_points else compute_width(value)
            if width > self.width:
                raise invalid_parameter(f"{place} is {width} wide, at most {self.width} is allowed")
        if self.length is not None and len(value) > self.length:
            raise invalid_parameter(f"{place} has {len(value)} characters, at most {self.length} are allowed")
        return value


@dataclass(frozen=True, slots=True)
class NumberRule:
    """A finite number between ``least`` and ``most``, and strictly between ``above`` and ``below``."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def read(self, value: Any, place: str, _: MhapiSwitches, /) -> float:
        """The number."""
        if not is_finite_number(value):
            raise invalid_parameter(f"{place} must be a number")
        self.check(value, place)
        return value

    def check(self, value: float, place: str) -> None:
        """Refuse a number out of bounds."""
        if self.least is not None and value < self.least:
            raise invalid_parameter(f"{place} must be at least {self.least:g}")
        if self.most is not None and value > self.most:
            raise invalid_parameter(f"{place} must be at most {self.most:g}")
        if self.above is not None and value <= self.above:
            raise invalid_parameter(f"{place} must be above {self.above:g}")
        if self.below is not None and value >= self.below:
            # Not :g, which would write the end of the seeds as 1e+08.
            raise invalid_parameter(f"{place} must be below {self.below:.0f}")


@dataclass(frozen=True, slots=True)
class IntegerRule(NumberRule):
    """A whole number, written as one."""

    def read(self, value: Any, place: str, _: MhapiSwitches, /) -> int:
        """The number."""
        # True is an int in Python, and 8.0 is a number but no integer in JSON as it was written.
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid_parameter(f"{place} must be an integer")
        self.check(value, place)
        return value


@dataclass(frozen=True, slots=True)
class NumberOrTextRule(NumberRule):
    """A number that may come as a string of digits."""

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> float:
        """The number."""
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise invalid_parameter(f"{place} must be a number") from None
        return NumberRule(self.least, self.most, self.above, self.below).read(value, place, switches)


@dataclass(frozen=True, slots=True)
class FlagRule:
    """True or false."""

    def read(self, value: Any, place: str, _: MhapiSwitches, /) -> bool:
        """The flag."""
        if not isinstance(value, bool):
            raise invalid_parameter(f"{place} must be true or false")
        return value


@dataclass(frozen=True, slots=True)
class ChoiceRule:
    """One of some strings, letter for letter."""

    values: tuple[str, ...]

    def read(self, value: Any, place: str, _: MhapiSwitches, /) -> str:
        """The string."""
        if not isinstance(value, str) or value not in self.values:
            raise invalid_parameter(f"{place} must be one of {', '.join(self.values)}")
        return value


@dataclass(frozen=True, slots=True)
class ObjectRule:
    """An object with a table of its own."""

    table: ParameterTable

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> Values:
        """The object with its defaults."""
        return read_object(self.table, value, switches, place=place)


@dataclass(frozen=True, slots=True)
class ListRule:
    """An array of at least ``least`` and at most ``most`` values."""

    rule: ParameterRule
    most: int | None = None
    least: int = 0

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> list[Any]:
        """The values."""
        if not isinstance(value, list):
            raise invalid_parameter(f"{place} must be an array")
        items = cast("list[Any]", value)
        if len(items) < self.least:
            raise invalid_parameter(f"{place} must have at least {self.least} entries")
        if self.most is not None and len(items) > self.most:
            raise invalid_parameter(f"{place} has {len(items)} entries, at most {self.most} are allowed")
        return [self.rule.read(item, f"{place}[{index}]", switches) for index, item in enumerate(items)]


def read_object(table: ParameterTable, document: Any, switches: MhapiSwitches, *, place: str = "") -> Values:
    """The document's values by name, defaults filled in; an absent optional value without a default is None."""
    if not isinstance(document, Mapping):
        raise invalid_parameter(f"{place or 'the body'} must be an object")
    entries = cast("Mapping[str, Any]", document)
    prefix = f"{place}." if place else ""
    # Before the values: a misspelt name also leaves its own one missing, and this is the better complaint.
    unknown = sorted(set(entries) - {parameter.name for parameter in table})
    if unknown and not switches.lenient_names:
        raise invalid_parameter(f"unknown parameter {prefix}{unknown[0]}")
    values: Values = {}
    for field in table:
        if field.name in entries:
            values[field.name] = field.rule.read(entries[field.name], f"{prefix}{field.name}", switches)
        elif field.required:
            raise invalid_parameter(f"{prefix}{field.name} is required")
        else:
            values[field.name] = field.default
    return values


def build_page(
    query: Mapping[str, str], rows: Sequence[dict[str, Any]], *, zero_is_default: bool = False
) -> dict[str, Any]:
    """One page of a listing by the query's ``size`` and ``offset`` (shared.paging_edge)."""
    size = read_query_integer(query, "size", DEFAULT_PAGE)
    offset = read_query_integer(query, "offset", 0)
    # A size of 0 means the default in one listing alone (imgenstd.models.size_default).
    if size == 0 and zero_is_default:
        size = DEFAULT_PAGE
    if not 1 <= size <= 100:
        raise invalid_parameter("size must be from 1 to 100")
    if offset < 0:
        raise invalid_parameter("offset must not be negative")
    return {"have_next": offset + size < len(rows), "data": list(rows[offset : offset + size])}


def check_query_names(query: Mapping[str, str], *names: str, switches: MhapiSwitches) -> None:
    """Refuse query parameters a listing does not have."""
    unknown = sorted(set(query) - set(names))
    if unknown and not switches.lenient_names:
        raise invalid_parameter(f"unknown parameter {unknown[0]}")


def read_query_integer(query: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of the query."""
    text = query.get(name)
    if text is None:
        return default
    if (number := parse_integer(text)) is None:
        raise invalid_parameter(f"{name} must be an integer")
    return number


def read_query_choice(query: Mapping[str, str], name: str, values: tuple[str, ...], default: str) -> str:
    """One of some words of the query."""
    value = query.get(name, default)
    if value not in values:
        raise invalid_parameter(f"{name} must be one of {', '.join(values)}")
    return value


def compute_width(text: str) -> int:
    """How wide a text is: two for a Chinese or other wide character, one for any other (shared.prompt_length)."""
    return sum(2 if unicodedata.east_asian_width(character) in WIDE else 1 for character in text)


MODEL_ID: Final = Parameter("model_id", TextRule(), required=True)
IMG_URL: Final = Parameter("img_url", TextRule(), required=True)
MASK_IMG_URL: Final = Parameter("mask_img_url", TextRule(), required=True)
SAMPLES: Final = Parameter("samples", IntegerRule(1, 8), default=1)
# Letter for letter: jpg and JPEG are refused (shared.format_case).
FORMAT: Final = Parameter("format", ChoiceRule(("JPG", "PNG")), default="JPG")
STEPS: Final = Parameter("steps", IntegerRule(above=0, most=70), default=30)
SEED: Final = Parameter("seed", IntegerRule(0, below=99_999_999), default=0)
# Any whole number in between, and the image has exactly that size (imgenstd.imgen.size_multiple).
OUTPUT_SIDE: Final = IntegerRule(640, 6000)
# Absent, or without a type, means Default (shared.watermark_absent).
WATERMARK: Final = Parameter(
    "watermark_config",
    ObjectRule((Parameter("type", ChoiceRule(("Default", "MakaLogo")), default="Default"),)),
    default={"type": "Default"},
)
