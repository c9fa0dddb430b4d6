"""Validation errors in plain words: one line per wrong argument, saying which, what was given, what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

SHOWN_CHARACTERS = 60


def explain(error: ValidationError, allowed: Collection[str] = ()) -> list[str]:
    """One line per wrong argument; ``allowed`` names the arguments there are."""
    return [_line(details, allowed) for details in error.errors(include_url=False)]


def _line(details: ErrorDetails, allowed: Collection[str]) -> str:
    where = _where(details["loc"])
    kind = details["type"]
    if kind == "extra_forbidden":
        return f"{where}: there is no such argument{_near(where, allowed)}"
    if kind == "missing":
        return f"{where}: is missing."
    context: Mapping[str, Any] = details.get("ctx", {})
    say = _SAYINGS.get(kind)
    said = say(context) if say else _sentence(details["msg"])
    if kind == "value_error":
        return f"{where}: {said}" if where else said
    return f"{where}: {_shown(details['input'])} given; {said}"


def _where(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _near(name: str, allowed: Collection[str]) -> str:
    if not allowed:
        return "."
    import difflib

    close = difflib.get_close_matches(name.rpartition(".")[2], allowed, n=1)
    return f"; did you mean {close[0]}?" if close else f". There are: {', '.join(allowed)}."


def _shown(value: Any) -> str:
    """The value in short; a long text only by its length, since it may be a picture or a key."""
    if isinstance(value, str):
        return f"{value!r}" if len(value) <= SHOWN_CHARACTERS else f"a text of {len(value):,} characters"
    if isinstance(value, list | tuple):
        return f"{len(value)} items"  # pyright: ignore[reportUnknownArgumentType]  # any list
    if isinstance(value, dict):
        return "an object"
    return str(value)[:SHOWN_CHARACTERS]


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return text if text.endswith(".") else f"{text}."


_SAYINGS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "value_error": lambda c: _sentence(str(c.get("error", "not possible"))),
    "literal_error": lambda c: f"allowed: {c['expected']}.".replace(" or ", ", ").replace("'", ""),
    "less_than_equal": lambda c: f"at most {c['le']:g} is allowed.",
    "less_than": lambda c: f"it must be below {c['lt']:g}.",
    "greater_than_equal": lambda c: f"at least {c['ge']:g} is allowed.",
    "greater_than": lambda c: f"it must be above {c['gt']:g}.",
    "string_too_long": lambda c: f"at most {c['max_length']:,} characters are allowed.",
    "string_too_short": lambda c: (
        "it must not be empty." if c["min_length"] == 1 else f"at least {c['min_length']} characters."
    ),
    "too_long": lambda c: f"at most {c['max_length']} are allowed.",
    "too_short": lambda c: f"at least {c['min_length']} needed.",
    "int_parsing": lambda _: "a whole number is needed.",
    "int_type": lambda _: "a whole number is needed.",
    "int_from_float": lambda _: "a whole number is needed.",
    "float_parsing": lambda _: "a number is needed.",
    "float_type": lambda _: "a number is needed.",
    "bool_parsing": lambda _: "true or false is needed.",
    "bool_type": lambda _: "true or false is needed.",
    "string_type": lambda _: "a text is needed.",
    "tuple_type": lambda _: "a list is needed.",
    "list_type": lambda _: "a list is needed.",
    "model_type": lambda _: "an object is needed.",
    "model_attributes_type": lambda _: "an object is needed.",
    "dict_type": lambda _: "an object is needed.",
}
