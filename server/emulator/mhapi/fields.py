"""How a table of parameters is written down, and how a request is held against it.

A table is a tuple of :class:`Field`; each has a rule that says what its value may be. Reading a document by a table
fills in the defaults and refuses, with code 3, whatever the table does not allow. An explicit 0 is a value like any
other (shared.zero_values).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast

from atelier_mcp.server.emulator.mhapi.errors import invalid

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.settings import MhapiSwitches

Fields: TypeAlias = "tuple[Field, ...]"
Values: TypeAlias = dict[str, Any]
WIDE: Final = frozenset("WF")


class Rule(Protocol):
    """What a value may be."""

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> Any:
        """The value to work with; raises Refused naming the place."""
        ...


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a table of parameters."""

    name: str
    rule: Rule
    required: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Text:
    """A string; ``width`` counts a Chinese character as two, ``length`` counts code points."""

    width: int | None = None
    length: int | None = None
    may_be_empty: bool = False

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> str:
        """The string."""
        if not isinstance(value, str):
            raise invalid(f"{place} must be a string")
        if not value and not self.may_be_empty:
            raise invalid(f"{place} must not be empty")
        if self.width is not None:
            measured = len(value) if switches.prompt_code_points else width_of(value)
            if measured > self.width:
                raise invalid(f"{place} is {measured} wide, at most {self.width} is allowed")
        if self.length is not None and len(value) > self.length:
            raise invalid(f"{place} has {len(value)} characters, at most {self.length} are allowed")
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number between ``least`` and ``most``, and strictly between ``above`` and ``below``."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def read(self, value: Any, place: str, _: MhapiSwitches, /) -> float:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise invalid(f"{place} must be a number")
        self.check(value, place)
        return value

    def check(self, value: float, place: str) -> None:
        """Refuse a number out of bounds."""
        if self.least is not None and value < self.least:
            raise invalid(f"{place} must be at least {self.least:g}")
        if self.most is not None and value > self.most:
            raise invalid(f"{place} must be at most {self.most:g}")
        if self.above is not None and value <= self.above:
            raise invalid(f"{place} must be above {self.above:g}")
        if self.below is not None and value >= self.below:
            raise invalid(f"{place} must be below {self.below:.0f}")


@dataclass(frozen=True, slots=True)
class Integer(Number):
    """A whole number, written as one."""

    def read(self, value: Any, place: str, _: MhapiSwitches, /) -> int:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid(f"{place} must be an integer")
        self.check(value, place)
        return value


@dataclass(frozen=True, slots=True)
class NumberOrText(Number):
    """A number that may come as a string of digits."""

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> float:
        """The number."""
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise invalid(f"{place} must be a number") from None
        return Number(self.least, self.most, self.above, self.below).read(value, place, switches)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, value: Any, place: str, _: MhapiSwitches, /) -> bool:
        """The flag."""
        if not isinstance(value, bool):
            raise invalid(f"{place} must be true or false")
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some strings, letter for letter."""

    values: tuple[str, ...]

    def read(self, value: Any, place: str, _: MhapiSwitches, /) -> str:
        """The string."""
        if not isinstance(value, str) or value not in self.values:
            raise invalid(f"{place} must be one of {', '.join(self.values)}")
        return value


@dataclass(frozen=True, slots=True)
class Group:
    """An object with a table of its own."""

    fields: Fields

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> Values:
        """The object with its defaults."""
        return read_object(self.fields, value, switches, place=place)


@dataclass(frozen=True, slots=True)
class Many:
    """An array of at least ``least`` and at most ``most`` values."""

    rule: Rule
    most: int | None = None
    least: int = 0

    def read(self, value: Any, place: str, switches: MhapiSwitches, /) -> list[Any]:
        """The values."""
        if not isinstance(value, list):
            raise invalid(f"{place} must be an array")
        items = cast("list[Any]", value)
        if len(items) < self.least:
            raise invalid(f"{place} must have at least {self.least} entries")
        if self.most is not None and len(items) > self.most:
            raise invalid(f"{place} has {len(items)} entries, at most {self.most} are allowed")
        return [self.rule.read(item, f"{place}[{index}]", switches) for index, item in enumerate(items)]


def read_object(fields: Fields, document: Any, switches: MhapiSwitches, *, place: str = "") -> Values:
    """The document's values by name, defaults filled in; an absent optional value without a default is None."""
    if not isinstance(document, Mapping):
        raise invalid(f"{place or 'the body'} must be an object")
    given = cast("Mapping[str, Any]", document)
    prefix = f"{place}." if place else ""
    unknown = sorted(set(given) - {field.name for field in fields})
    if unknown and not switches.lenient_names:
        raise invalid(f"unknown parameter {prefix}{unknown[0]}")
    values: Values = {}
    for field in fields:
        if field.name in given:
            values[field.name] = field.rule.read(given[field.name], f"{prefix}{field.name}", switches)
        elif field.required:
            raise invalid(f"{prefix}{field.name} is required")
        else:
            values[field.name] = field.default
    return values


def width_of(text: str) -> int:
    """How wide a text is: two for a Chinese or other wide character, one for any other (shared.prompt_length)."""
    return sum(2 if unicodedata.east_asian_width(character) in WIDE else 1 for character in text)


MODEL_ID: Final = Field("model_id", Text(), required=True)
IMG_URL: Final = Field("img_url", Text(), required=True)
MASK_IMG_URL: Final = Field("mask_img_url", Text(), required=True)
SAMPLES: Final = Field("samples", Integer(1, 8), default=1)
FORMAT: Final = Field("format", Choice(("JPG", "PNG")), default="JPG")
STEPS: Final = Field("steps", Integer(above=0, most=70), default=30)
SEED: Final = Field("seed", Integer(0, below=99_999_999), default=0)
OUTPUT_SIDE: Final = Integer(640, 6000)
# Absent, or without a type, means Default (shared.watermark_absent).
WATERMARK: Final = Field(
    "watermark_config",
    Group((Field("type", Choice(("Default", "MakaLogo")), default="Default"),)),
    default={"type": "Default"},
)
