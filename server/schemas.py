"""JSON schemas as small as they can be said: flat, without references, generated titles or null branches."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

Schema = dict[str, Any]


def input_schema(model: type[BaseModel]) -> Schema:
    """What the model may send: descriptions, bounds and enums kept; unknown arguments refused."""
    document = model.model_json_schema(mode="validation")
    schema = _mapped(document, document.get("$defs", {}), _lean_input)
    schema.pop("description", None)
    unoffered: frozenset[str] = getattr(model, "unoffered", frozenset())
    schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in unoffered}
    return {**schema, "additionalProperties": False}


@functools.cache
def output_schema(model: type[BaseModel]) -> Schema:
    """What comes back: names and types only, since answers explain themselves."""
    document = model.model_json_schema(mode="serialization")
    return _mapped(document, document.get("$defs", {}), _lean_output)


def _mapped(node: Any, definitions: dict[str, Any], lean: Callable[[Schema], Schema]) -> Any:
    """The node with every reference replaced by what it points to, and every schema in it made lean."""
    if isinstance(node, list):
        return [_mapped(item, definitions, lean) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("Schema", node)
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        target = {key: value for key, value in target.items() if key not in {"description", "title"}}
        return _mapped({**target, **siblings}, definitions, lean)
    if "properties" in schema:
        properties = {name: _mapped(value, definitions, lean) for name, value in schema["properties"].items()}
        rest = {k: _mapped(v, definitions, lean) for k, v in schema.items() if k not in {"properties", "$defs"}}
        return lean({**rest, "properties": properties})
    return lean({key: _mapped(value, definitions, lean) for key, value in schema.items() if key != "$defs"})


def _without_null(schema: Schema) -> Schema:
    """``X | None`` as plain ``X``: leaving an argument out says the same in fewer words."""
    branches = [branch for branch in schema.get("anyOf", []) if branch.get("type") != "null"]
    if len(branches) != 1:
        return schema
    return {**branches[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


_UNSAID: tuple[tuple[str, Any], ...] = (
    ("default", None),
    ("default", []),
    ("default", False),
    ("minLength", 1),
    ("minimum", 0),
    ("exclusiveMinimum", 0),
)
"""What goes without saying in an input schema. That unknown arguments are refused is said once, at the root."""


def _same(given: Any, value: Any) -> bool:
    """Equal, and both or neither a boolean: False is not 0."""
    return given == value and isinstance(given, bool) == isinstance(value, bool)


def _lean_input(schema: Schema) -> Schema:
    schema = _without_null(schema)
    if "enum" in schema:
        schema.pop("type", None)
    unsaid = {"title", *(key for key, value in _UNSAID if key in schema and _same(schema[key], value))}
    if schema.get("additionalProperties") is False:
        unsaid.add("additionalProperties")
    return {key: value for key, value in schema.items() if key not in unsaid}


_OUTPUT_KEYS = frozenset({"type", "properties", "items", "enum", "anyOf", "required"})


def _lean_output(schema: Schema) -> Schema:
    schema = {key: value for key, value in _without_null(schema).items() if key in _OUTPUT_KEYS}
    schema.pop("required", None)
    return schema
