"""The gateway's check of bodies: a few words of JSON Schema, and the complaints of the validator behind them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BodyModel: TypeAlias = "Mapping[str, Any]"
"""``type``, ``required``, ``properties``, ``items``, ``enum``, ``pattern`` and the bounds of JSON Schema."""

TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip
NAMES: Final = {"number": ["integer", "number"]}


def find_violations(model: BodyModel, value: Any) -> Iterator[str]:
    """What is wrong with a value, in the validator's words; a part of another type is not looked into."""
    kind = model.get("type")
    if kind is not None and not _is_of(value, kind):
        allowed = json.dumps(NAMES.get(kind, [kind]), separators=(",", ":"))
        # In the order of the validator: a wrong type hides all else about that value.
        yield f"instance type ({_name(value)}) does not match any allowed primitive type (allowed: {allowed})"
        return
    if "enum" in model and value not in model["enum"]:
        values = json.dumps(model["enum"], separators=(",", ":"))
        yield f"instance value ({json.dumps(value)}) not found in enum (possible values: {values})"
    match value:
        case str():
            yield from _check_text(model, value)
        case dict():
            yield from _check_object(model, cast("dict[str, Any]", value))
        case list():
            yield from _check_array(model, cast("list[Any]", value))
        case _:
            yield from _check_number(model, value)


def _check_text(model: BodyModel, value: str) -> Iterator[str]:
    quoted = json.dumps(value)
    if len(value) < model.get("minLength", 0):
        yield f"string {quoted} is too short (length: {len(value)}, required minimum: {model['minLength']})"
    if len(value) > model.get("maxLength", len(value)):
        yield f"string {quoted} is too long (length: {len(value)}, maximum allowed: {model['maxLength']})"
    # search, not match: a pattern of JSON Schema is anchored only where it says so.
    if "pattern" in model and not re.search(model["pattern"], value):
        yield f"ECMA 262 regex {json.dumps(model['pattern'])} does not match input string {quoted}"


def _check_object(model: BodyModel, value: Mapping[str, Any]) -> Iterator[str]:
    # Sorted by name, as the validator lists them, whatever the order of the model.
    if missing := sorted(set(model.get("required", ())) - value.keys()):
        yield f"object has missing required properties ({json.dumps(missing, separators=(',', ':'))})"
    properties = model.get("properties", {})
    for name in sorted(properties.keys() & value.keys()):
        yield from find_violations(properties[name], value[name])


def _check_array(model: BodyModel, value: list[Any]) -> Iterator[str]:
    count = len(value)
    if count < model.get("minItems", 0):
        yield f"array is too short: must have at least {model['minItems']} elements but instance has {count} elements"
    if count > model.get("maxItems", count):
        yield f"array is too long: must have at most {model['maxItems']} elements but instance has {count} elements"
    for item in value:
        yield from find_violations(model.get("items", {}), item)


def _check_number(model: BodyModel, value: Any) -> Iterator[str]:
    if value < model["minimum"] if "minimum" in model else False:
        yield f"numeric instance is lower than the required minimum (minimum: {model['minimum']}, found: {value})"
    if value > model["maximum"] if "maximum" in model else False:
        yield f"numeric instance is greater than the required maximum (maximum: {model['maximum']}, found: {value})"


def _is_of(value: Any, kind: str) -> bool:
    # A bool is an int in Python and none in JSON.
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _name(value: Any) -> str:
    if value is None:
        return "null"
    # "integer" before "number": the validator names the narrowest type.
    return next(name for name in ("boolean", "integer", "number", "string", "array", "object") if _is_of(value, name))
