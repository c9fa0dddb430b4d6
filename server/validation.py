"""Validation errors in plain words: one line per wrong argument, saying which, what was given, what is allowed."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    Location: TypeAlias = tuple[int | str, ...]

SHOWN_CHARACTERS = 60
NOT_JSON = "it must be a list or an object; as a text it is not valid JSON."

OTHER_NAMES = {
    "n": "samples",
    "num_images": "samples",
    "count": "samples",
    "size": "width and height",
    "cfg_scale": "guidance",
    "guidance_scale": "guidance",
    "cfg": "guidance",
    "num_inference_steps": "steps",
    "negative": "negative_prompt",
    "neg_prompt": "negative_prompt",
    "img": "image",
    "image_url": "image",
    "init_image": "image",
    "scale": "ratio",
    "id": "job_id",
    "ids": "job_ids",
}
"""What other image tools call our arguments."""


def explain(error: ValidationError, model: type[BaseModel] | None = None) -> list[str]:
    """One line per wrong argument; ``model`` is what was validated, so that the arguments there are can be named."""
    errors = error.errors(include_url=False)
    unknown = [details for details in errors if details["type"] == "extra_forbidden"]
    wrong = [details for details in _first_of_each_list(errors) if details["type"] != "extra_forbidden"]
    return [*(_line(details) for details in wrong), *_unknown(unknown, model)]


def offered(model: type[BaseModel]) -> list[str]:
    """The arguments that are put before a model."""
    unoffered: frozenset[str] = getattr(model, "unoffered", frozenset())
    return [name for name in model.model_fields if name not in unoffered]


def _first_of_each_list(errors: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """The errors without those of a list's later items, and without the list's own when its items are wrong."""
    lists = {details["loc"][:-1] for details in errors if details["loc"] and isinstance(details["loc"][-1], int)}
    told: set[Location] = set()
    for details in errors:
        place = details["loc"]
        if place in lists:
            continue
        if place and isinstance(place[-1], int):
            if place[:-1] in told:
                continue
            told.add(place[:-1])
        yield details


def _line(details: ErrorDetails) -> str:
    where = _where(details["loc"])
    kind = details["type"]
    if kind == "missing":
        return f"{where}: is missing."
    context: Mapping[str, Any] = details.get("ctx", {})
    say = _SAYINGS.get(kind)
    said = say(context) if say else _sentence(details["msg"])
    if kind == "value_error":
        return f"{where}: {said}" if where else said
    given = details["input"]
    if said in (_A_LIST, _AN_OBJECT) and isinstance(given, str) and given.lstrip().startswith(("[", "{")):
        said = NOT_JSON
    return f"{where}: {_shown(given)} given; {said}"


def _unknown(errors: Sequence[ErrorDetails], model: type[BaseModel] | None) -> Iterator[str]:
    """One line per place that unknown arguments were given at, with the names there are."""
    places: dict[Location, list[str]] = {}
    for details in errors:
        places.setdefault(details["loc"][:-1], []).append(str(details["loc"][-1]))
    for place, names in places.items():
        there_are = offered(owner) if (owner := _model_at(model, place)) else []
        prefix = f"{_where(place)}." if place else ""
        wrong = ", ".join(f"{prefix}{name}" for name in names)
        means = [f"{name} -> {meant}" for name in names if (meant := _meant(name, there_are))]
        said = f"{wrong}: there is no such argument" if len(names) == 1 else f"{wrong}: there are no such arguments"
        if len(names) == 1 and means:
            yield f"{said}; did you mean {means[0].partition(' -> ')[2]}?"
        else:
            hint = f" You may mean: {', '.join(means)}." if means else ""
            yield f"{said}.{hint}" + (f" There are: {', '.join(there_are)}." if there_are else "")


def _meant(name: str, there_are: Sequence[str]) -> str:
    import difflib

    other = OTHER_NAMES.get(name, "")
    if other.partition(" ")[0] in there_are:
        return other
    return next(iter(difflib.get_close_matches(name, there_are, n=1)), "")


def _model_at(model: type[BaseModel] | None, place: Location) -> type[BaseModel] | None:
    """The model of the object at a place: for ``("shapes", 0)`` that of one shape."""
    for part in place:
        if model is None or isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        model = next(_models_in(field.annotation), None) if field else None
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)


def _where(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _shown(value: Any) -> str:
    """The value in short; a long text only by its length, since it may be a picture or a key."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"{value!r}" if len(value) <= SHOWN_CHARACTERS else f"a text of {len(value):,} characters"
    if isinstance(value, list | tuple):
        count = len(cast("Sequence[Any]", value))
        return "1 item" if count == 1 else f"{count} items"
    if isinstance(value, dict):
        return "an object"
    return str(value)[:SHOWN_CHARACTERS]


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return text if text.endswith(".") else f"{text}."


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


_A_LIST, _AN_OBJECT = "a list is needed.", "an object is needed."
_A_WHOLE_NUMBER, _A_NUMBER, _A_TEXT = "a whole number is needed.", "a number is needed.", "a text is needed."
_YES_OR_NO = "true or false is needed."

_SAYINGS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "value_error": lambda c: _sentence(str(c.get("error", "not possible"))),
    "literal_error": lambda c: f"allowed: {c['expected']}.".replace(" or ", ", ").replace("'", ""),
    "less_than_equal": lambda c: f"at most {_number(c['le'])} is allowed.",
    "less_than": lambda c: f"it must be below {_number(c['lt'])}.",
    "greater_than_equal": lambda c: f"at least {_number(c['ge'])} is allowed.",
    "greater_than": lambda c: f"it must be above {_number(c['gt'])}.",
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
    "bool_parsing": lambda _: _YES_OR_NO,
    "bool_type": lambda _: _YES_OR_NO,
    "string_type": lambda _: _A_TEXT,
    "tuple_type": lambda _: _A_LIST,
    "list_type": lambda _: _A_LIST,
    "model_type": lambda _: _AN_OBJECT,
    "model_attributes_type": lambda _: _AN_OBJECT,
    "dict_type": lambda _: _AN_OBJECT,
}
