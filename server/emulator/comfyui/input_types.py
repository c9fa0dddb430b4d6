"""What an input of a node can be, as ``object_info`` tells it and as a workflow is checked against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.comfyui.errors import build_error

if TYPE_CHECKING:
    from collections.abc import Callable

INT_MAX: Final = 2**64 - 1
MAX_LISTED: Final = 20
_CONVERSIONS: Final[dict[str, Callable[[Any], Any]]] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputType:
    """One input; ``kind`` is the name of what it takes: ``INT``, ``IMAGE``, ``COMBO``, ..."""

    kind: str
    default: Any = None
    least: float | None = None
    most: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    is_optional: bool = False
    is_file: bool = False
    """A file of the input folder: its choices change, and are looked at when it is used."""

    def describe(self, choices: tuple[str, ...], *, names_combos: bool) -> list[Any]:
        """As ``object_info`` has it (contract: object_info.choices)."""
        bounds = {"default": self.default, "min": self.least, "max": self.most, "step": self.step}
        options: dict[str, Any] = {name: value for name, value in bounds.items() if value is not None}
        if self.kind != "COMBO":
            return [self.kind, options] if options else [self.kind]
        return ["COMBO", {"options": list(choices), **options}] if names_combos else [list(choices), options]

    def find_error(self, name: str, value: Any) -> dict[str, Any] | None:
        """What is wrong with a value that is no link."""
        if self.kind == "COMBO":
            return None if self.is_file or value in self.choices else _refuse_choice(name, value, self.choices)
        convert = _CONVERSIONS.get(self.kind)
        if convert is None:
            return build_error(
                "invalid_input_type", f"Failed to convert an input value to a {self.kind} value", name, input_name=name
            )
        try:
            number = convert(value)
        except (TypeError, ValueError, OverflowError) as err:
            details = f"{name}, {value}, {err}"
            message = f"Failed to convert an input value to a {self.kind} value"
            return build_error("invalid_input_type", message, details, input_name=name, received_value=value)
        return self._find_bound_error(name, number)

    def _find_bound_error(self, name: str, number: Any) -> dict[str, Any] | None:
        if self.least is not None and number < self.least:
            message = f"Value {number} smaller than min of {self.least}"
            return build_error("value_smaller_than_min", message, name, input_name=name, received_value=number)
        if self.most is not None and number > self.most:
            message = f"Value {number} bigger than max of {self.most}"
            return build_error("value_bigger_than_max", message, name, input_name=name, received_value=number)
        return None


def link(kind: str, *, is_optional: bool = False) -> InputType:
    """What comes from another node."""
    return InputType(kind=kind, is_optional=is_optional)


def whole(default: int, least: int, most: int, step: int = 1, *, is_optional: bool = False) -> InputType:
    """A whole number."""
    return InputType(kind="INT", default=default, least=least, most=most, step=step, is_optional=is_optional)


def number(default: float, least: float, most: float, step: float = 0.01) -> InputType:
    """A number."""
    return InputType(kind="FLOAT", default=default, least=least, most=most, step=step)


def text(default: str | None = None) -> InputType:
    """A text."""
    return InputType(kind="STRING", default=default)


def flag(default: bool) -> InputType:  # the only thing it says
    """True or false."""
    return InputType(kind="BOOLEAN", default=default)


def choice(*choices: str) -> InputType:
    """One of some names."""
    return InputType(kind="COMBO", choices=choices)


def input_file() -> InputType:
    """A file of the input folder."""
    return InputType(kind="COMBO", is_file=True)


def is_link(value: Any) -> bool:
    """True for what comes from another node."""
    return isinstance(value, list)


def is_good_link(value: Any) -> bool:
    """True for a node and the number of one of its outputs."""
    items = cast("list[Any]", value)
    return len(items) == 2 and isinstance(items[0], str) and isinstance(items[1], int)


def _refuse_choice(name: str, value: Any, choices: tuple[str, ...]) -> dict[str, Any]:
    listed = str(list(choices)) if len(choices) <= MAX_LISTED else f"(list of length {len(choices)})"
    details = f"{name}: '{value}' not in {listed}"
    return build_error("value_not_in_list", "Value not in list", details, input_name=name, received_value=value)
