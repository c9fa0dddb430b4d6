"""What is allowed where a value is wrong, said in the words of a reader rather than of a type checker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import ErrorDetails

INVALID_JSON_MESSAGE = "it must be a list or an object; as a text it is not valid JSON."


def format_reason(details: ErrorDetails) -> str:
    """One sentence for one error of pydantic's; for a kind without words of ours, pydantic's own."""
    value = details["input"]
    format_known = _REASON_FORMATTERS.get(details["type"])
    reason = format_known(details.get("ctx", {})) if format_known else _to_sentence(details["msg"])
    # A text that was meant as JSON has reached validation unread (tool_arguments._parse_json_text).
    if reason in (_A_LIST, _AN_OBJECT) and isinstance(value, str) and _is_broken_json(value):
        return INVALID_JSON_MESSAGE
    return reason


def _is_broken_json(text: str) -> bool:
    """Whether a text was meant as a list or an object and cannot be read as one."""
    if not text.lstrip().startswith(("[", "{")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


def _to_sentence(message: str) -> str:
    # Pydantic's own beginnings, which say nothing to a reader who knows no pydantic.
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return text if text.endswith(".") else f"{text}."


def _format_number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


_A_LIST, _AN_OBJECT = "a list is needed.", "an object is needed."
_A_WHOLE_NUMBER, _A_NUMBER, _A_TEXT = "a whole number is needed.", "a number is needed.", "a text is needed."
_YES_OR_NO = "true or false is needed."

# The keys are pydantic's error types: https://docs.pydantic.dev/latest/errors/validation_errors/
_REASON_FORMATTERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "value_error": lambda c: _to_sentence(str(c.get("error", "not possible"))),
    # Pydantic writes the last one with "or" and quotes them all.
    "literal_error": lambda c: f"allowed: {c['expected']}.".replace(" or ", ", ").replace("'", ""),
    "less_than_equal": lambda c: f"at most {_format_number(c['le'])} is allowed.",
    "less_than": lambda c: f"it must be below {_format_number(c['lt'])}.",
    "greater_than_equal": lambda c: f"at least {_format_number(c['ge'])} is allowed.",
    "greater_than": lambda c: f"it must be above {_format_number(c['gt'])}.",
    "string_too_long": lambda c: f"at most {c['max_length']:,} characters are allowed.",
    "string_too_short": lambda c: (
        "it must not be empty." if c["min_length"] == 1 else f"at least {c['min_length']} characters."
    ),
    "too_long": lambda c: f"at most {c['max_length']} are allowed.",
    "too_short": lambda c: f"at least {c['min_length']} needed.",
    "int_parsing": lambda _: _A_WHOLE_NUMBER,
    "int_type": lambda _: _A_WHOLE_NUMBER,
    "int_from_float": lambda _: _A_WHOLE_NUMBER,
    "float_parsing": lambda _: _A_NUMBER,
    "float_type": lambda _: _A_NUMBER,
    "finite_number": lambda _: _A_NUMBER,
    "bool_parsing": lambda _: _YES_OR_NO,
    "bool_type": lambda _: _YES_OR_NO,
    "string_type": lambda _: _A_TEXT,
    # Requests have tuples, because they are frozen; a caller sends a list.
    "tuple_type": lambda _: _A_LIST,
    "list_type": lambda _: _A_LIST,
    "model_type": lambda _: _AN_OBJECT,
    "model_attributes_type": lambda _: _AN_OBJECT,
    "dict_type": lambda _: _AN_OBJECT,
}
