"""Arguments as models and frameworks send them, brought to what the request means by them.

    null, at every depth          absent; so is "" or "null" for what may be left out
    '[{"type": "box", ...}]'      the list, wherever a list or an object is taken
    "img_x" for a list            a list of one, and the other way round
    "img_x" for a layer           {"image": "img_x"}: the object that a text alone stands for
    "PNG", "jpeg", "top left"     png, jpg, topleft: the choice that is meant
    10.4 for a pixel, seed -1     10; no seed

Whatever is not understood stays as it came, for validation to refuse in words.
"""

from __future__ import annotations

import json
import math
import re
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, cast

from pydantic import BaseModel

from atelier_mcp.server.requests.base import RequestModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

ABSENT_TEXTS: Final = frozenset({"", "null", "None", "undefined"})
SEED_FIELDS: Final = frozenset({"seed", "subseed"})
"""-1 is how most image tools say that any will do."""
EXACT_FIELDS: Final = frozenset({*SEED_FIELDS, "samples", "instances", "batch_size", "limit", "offset", "page"})
"""Whole numbers that count or name something: a fraction of one is a mistake, where one of a pixel is rounding."""
_CHOICE_ALIASES: Final = {
    "jpeg": "jpg", "tif": "tiff",
    "top": "topmiddle", "bottom": "bottommiddle", "left": "middleleft", "right": "middleright",
    "center": "middle", "centre": "middle",
    "rect": "box", "rectangle": "box", "oval": "ellipse", "line": "stroke", "brush": "stroke",
}  # fmt: skip
"""Where the first is no choice of its own."""
_SEPARATORS: Final = re.compile(r"[\s_.-]+")
_NUMBER_TEXT: Final = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(?:px)?\s*")


_SCALARS: Final[frozenset[Any]] = frozenset({Literal, int, float, str})


def coerce_arguments(values: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The values for the fields of ``model``, each brought to its field's type where what is meant is plain."""
    coerced: dict[str, Any] = {}
    for name, value in values.items():
        field = model.model_fields.get(name)
        if value is None or (field is not None and _is_left_out(name, value, field)):
            continue
        meant = value if field is None else _coerce(value, field.annotation, name)
        # An object with nothing in it says nothing; kept, it would choose a provider that alone takes the argument.
        if meant != {} or field is None or field.is_required():
            coerced[name] = meant
    return coerced


def _is_left_out(name: str, value: Any, field: FieldInfo) -> bool:
    """Whether a value is a way to give none."""
    if name in SEED_FIELDS and value in (-1, "-1"):
        return True
    return not field.is_required() and isinstance(value, str) and value.strip() in ABSENT_TEXTS


def _coerce(value: Any, annotation: Any, name: str) -> Any:
    kind = _find_main_type(annotation)
    origin = typing.get_origin(kind) or kind
    if origin in _SCALARS:
        value = _unwrap(value)
    if origin is Literal:
        return _choose(value, typing.get_args(kind))
    if origin is int:
        return _round(value, name)
    if origin is str:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if origin in (list, tuple):
        return _coerce_list(parse_json_text(value), kind, name)
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        value = _expand_text(parse_json_text(value), origin)
        return coerce_arguments(cast("dict[str, Any]", value), origin) if isinstance(value, dict) else value
    if origin is dict:
        return _coerce_mapping(parse_json_text(value))
    return _read_scalar(value) if kind is None else value


def _unwrap(value: Any) -> Any:
    """The one item of a list of one."""
    if not isinstance(value, list):
        return value
    items = cast("list[Any]", value)
    return items[0] if len(items) == 1 else items


def _find_main_type(annotation: Any) -> Any:
    """``tuple[Shape, ...]`` of ``Annotated[tuple[Shape, ...], ...] | None``; None for a union of several types."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _find_main_type(typing.get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        branches = [branch for branch in typing.get_args(annotation) if branch is not types.NoneType]
        return _find_main_type(branches[0]) if len(branches) == 1 else None
    return annotation


def _coerce_list(value: Any, kind: Any, name: str) -> Any:
    """The items one by one; what is no list as the only item, unless it was meant as one."""
    item_type = next(iter(typing.get_args(kind)), Any)
    items = _split_numbers(value) if _find_main_type(item_type) is int else value
    if isinstance(items, str) and typing.get_origin(_find_main_type(item_type)) is Literal:
        items = [part.strip() for part in items.split(",")]
    if _is_absent(items, item_type):
        return []
    if isinstance(items, str) and (_JSON_START.match(items) or not _takes_text(item_type)):
        return items
    if not isinstance(items, list | tuple):
        items = [items]
    present = (item for item in cast("list[Any]", items) if not _is_absent(item, item_type))
    return [_coerce(item, item_type, name) for item in present]


_JSON_START: Final = re.compile(r"""\s*[\[{]\s*["\[{]""")
"""A list or an object in JSON, where a file's name could begin with a bracket, too."""


def _is_absent(item: Any, item_type: Any) -> bool:
    # A text that stands among texts stays: captions belong to pictures by their places.
    return item is None or (isinstance(item, str) and item.strip() in ABSENT_TEXTS and _takes_object(item_type))


def _takes_object(annotation: Any) -> bool:
    kind = _find_main_type(annotation)
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _takes_text(annotation: Any) -> bool:
    return not _takes_object(annotation) or _expand_text("a text", _find_main_type(annotation)) != "a text"


def _expand_text(value: Any, model: type[BaseModel]) -> Any:
    """The object that a bare text stands for, where its model knows one; what begins like JSON was meant as that."""
    if not isinstance(value, str) or not issubclass(model, RequestModel) or value.lstrip()[:1] in ("{", "["):
        return value
    return model.expand_text(value) or value


def _split_numbers(value: Any) -> Any:
    """``"10, 10, 60, 60"`` as its numbers, and points that came as pairs, texts or objects as one list."""
    if isinstance(value, str):
        parts = value.split(",")
        return parts if all(_NUMBER_TEXT.fullmatch(part) for part in parts) else value
    if not isinstance(value, list | tuple):
        return value
    items = [_read_point(item) for item in cast("list[Any]", value)]
    if items and all(isinstance(item, list | tuple) for item in items):
        return [number for pair in items for number in pair]
    return items


def _read_point(item: Any) -> Any:
    """``{"x": 10, "y": 20}``, ``"[10, 20]"`` and ``"10, 20"`` as a pair; anything else as it is."""
    item = parse_json_text(item)
    if isinstance(item, str) and "," in item:
        return _split_numbers(item)
    match item:
        case {"x": x, "y": y, **rest} if not rest:
            return [x, y]
        case _:
            return item


def _coerce_mapping(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = cast("dict[str, Any]", value).items()
    return {name: _read_scalar(item) for name, item in items if item is not None}


def _read_scalar(value: Any) -> Any:
    """A number, true or false that came as text, where the schema can say no more than text."""
    if not isinstance(value, str):
        return value
    try:
        scalar = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return scalar if isinstance(scalar, bool | int | float) else value


def _choose(value: Any, choices: tuple[Any, ...]) -> Any:
    """The choice that a text means: case, separators and a media type's first half do not count."""
    if not isinstance(value, str) or value in choices:
        return value
    folded = _fold(value.strip().lower().removeprefix("image/"))
    choices_by_fold = {_fold(choice): choice for choice in choices if isinstance(choice, str)}
    return choices_by_fold.get(folded) or choices_by_fold.get(_CHOICE_ALIASES.get(folded, ""), value)


def _fold(text: str) -> str:
    return _SEPARATORS.sub("", text.lower())


def _round(value: Any, name: str) -> Any:
    """The nearest whole number, also of a text, unless a fraction of it means nothing."""
    if isinstance(value, str) and (match := _NUMBER_TEXT.fullmatch(value)):
        value = float(match[1]) if "." in match[1] else int(match[1])
    if isinstance(value, float) and (value.is_integer() or (name not in EXACT_FIELDS and math.isfinite(value))):
        return round(value)
    return value


def parse_json_text(value: Any) -> Any:
    """A list or an object that came as JSON text, also one that was written twice; anything else as it is."""
    for _ in range(_MAX_WRAPPINGS):
        if not isinstance(value, str) or not value.lstrip().startswith(("[", "{", '"')):
            return value
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


_MAX_WRAPPINGS: Final = 3
