"""JSON schemas as small as they can be said, in the words that every client understands.

Flat, without references, generated titles or null branches. Beyond that, clients that people use drop a tool, refuse
a call or misread an argument for ``additionalProperties: false``, exclusive bounds, ``const``, unions and enums without
a type; none of these is published. What they would have said is held when a call is read, and said in words then.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

Schema = dict[str, Any]
MAX_LISTED_CHOICES = 4
"""More are left to the schema itself."""


def build_input_schema(model: type[BaseModel]) -> Schema:
    """What the model may send: descriptions, bounds and enums."""
    document = model.model_json_schema(mode="validation")
    schema = _inline_references(document, document.get("$defs", {}), _simplify_input)
    schema.pop("description", None)
    return schema


def build_bounded_schema(model: type[BaseModel]) -> Schema:
    """Every argument with both of its bounds, also those that go without saying: for people, not for models."""
    document = model.model_json_schema(mode="validation")
    return _inline_references(
        document, document.get("$defs", {}), lambda schema: _include_bounds(_drop_null_branch(_drop_marks(schema)))
    )


@functools.cache
def build_output_schema(model: type[BaseModel]) -> Schema:
    """What comes back: names and types only, since answers explain themselves."""
    document = model.model_json_schema(mode="serialization")
    return _inline_references(document, document.get("$defs", {}), _simplify_output)


def _inline_references(node: Any, definitions: dict[str, Any], simplify: Callable[[Schema], Schema]) -> Any:
    """The node with every reference replaced by what it points to, and every schema in it made lean."""
    if isinstance(node, list):
        return [_inline_references(item, definitions, simplify) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("Schema", node)
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        # The description of a class is a docstring for programmers; that of the field, beside the reference, stays.
        target = {key: value for key, value in target.items() if key not in {"description", "title"}}
        return _inline_references({**target, **siblings}, definitions, simplify)
    if "properties" in schema:
        properties = {
            name: _inline_references(value, definitions, simplify) for name, value in schema["properties"].items()
        }
        rest = {
            k: _inline_references(v, definitions, simplify)
            for k, v in schema.items()
            if k not in {"properties", "$defs"}
        }
        return simplify({**rest, "properties": properties})
    return simplify(
        {key: _inline_references(value, definitions, simplify) for key, value in schema.items() if key != "$defs"}
    )


def _drop_null_branch(schema: Schema) -> Schema:
    """``X | None`` as plain ``X``: leaving an argument out says the same in fewer words."""
    # A union of two real types keeps its anyOf: there is no shorter way to say it.
    branches = [branch for branch in schema.get("anyOf", []) if branch.get("type") != "null"]
    if len(branches) != 1:
        return schema
    return {**branches[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


def _drop_marks(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != _RARE}


_RARE = "rare"
"""The mark of ``requests.create.RARE``."""


def _drop_rare_fields(schema: Schema) -> Schema:
    if "properties" not in schema:
        return schema
    properties = {name: value for name, value in schema["properties"].items() if _RARE not in value}
    return {**schema, "properties": properties}


def _join_branches(schema: Schema) -> Schema:
    """A union of plain values as a text, which may be read as any of them."""
    if not schema.keys() & _UNION_KEYS:
        return schema
    return {"type": "string", **{key: value for key, value in schema.items() if key not in _UNION_KEYS}}


_UNION_KEYS = frozenset({"anyOf", "oneOf"})


def _include_bounds(schema: Schema) -> Schema:
    """Exclusive bounds as inclusive ones: exact for whole numbers, and for others wrong by the bound alone."""
    step = 1 if schema.get("type") == "integer" else 0
    bounds = {
        inclusive: schema[exclusive] + sign * step
        for exclusive, inclusive, sign in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1))
        if exclusive in schema
    }
    return {key: value for key, value in schema.items() if not key.startswith("exclusive")} | bounds


def _enumerate_const(schema: Schema) -> Schema:
    if "const" not in schema:
        return schema
    return {key: value for key, value in schema.items() if key != "const"} | {"enum": [schema["const"]]}


_IMPLIED_VALUES: tuple[tuple[str, Any], ...] = (
    ("default", None),
    ("default", []),
    ("default", {}),
    ("default", False),
    ("default", 0),
    ("default", 1),
    ("minimum", 0),
    ("minimum", 1),
)
"""What goes without saying in an input schema."""
_UNPUBLISHED_KEYS = frozenset(
    {"title", "additionalProperties", "minLength", "maxLength", "minItems", "maxItems", "pattern"}
)
"""Refused by some clients, and of no help to a model that reads the description."""


def _is_same(actual: Any, implied: Any) -> bool:
    """Equal, and both or neither a boolean: False is not 0."""
    return actual == implied and isinstance(actual, bool) == isinstance(implied, bool)


def _simplify_input(schema: Schema) -> Schema:
    schema = _drop_rare_fields(_enumerate_const(_include_bounds(_join_branches(_drop_null_branch(schema)))))
    implied_keys = {key for key, value in _IMPLIED_VALUES if key in schema and _is_same(schema[key], value)}
    schema = {key: value for key, value in schema.items() if key not in implied_keys | _UNPUBLISHED_KEYS}
    return _describe_items(schema) if schema.get("type") == "array" else schema


def _describe_items(schema: Schema) -> Schema:
    """A list of objects with their fields in its description, for clients that drop what is nested."""
    items, description = schema.get("items", {}), schema.get("description", "")
    if "properties" not in items or not description or "{" in description:
        return schema
    names = items.get("required") or list(items["properties"])
    fields = [_format_field(name, items["properties"][name]) for name in names]
    rest = ["..."] if len(names) < len(items["properties"]) else []
    return {**schema, "description": f"{description}: {{{', '.join([*fields, *rest])}}}"}


def _format_field(name: str, schema: Schema) -> str:
    if schema.get("type") == "array":
        return f"{name}: [...]"
    choices = schema.get("enum", ())
    return f"{name}: {'|'.join(map(str, choices))}" if 0 < len(choices) <= MAX_LISTED_CHOICES else name


_OUTPUT_KEYS = frozenset({"type", "properties", "items", "enum", "anyOf", "required"})


def _simplify_output(schema: Schema) -> Schema:
    schema = {key: value for key, value in _drop_null_branch(schema).items() if key in _OUTPUT_KEYS}
    # What is not known is left out of an answer, whatever the model calls required (ToolResult.to_structured_content).
    schema.pop("required", None)
    return schema
