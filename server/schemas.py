"""JSON schemas as small as they can be said: flat, without references, generated titles or null branches."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

Schema = dict[str, Any]


def build_input_schema(model: type[BaseModel]) -> Schema:
    """What the model may send: descriptions, bounds and enums kept; unknown arguments refused."""
    document = model.model_json_schema(mode="validation")
    schema = _inline_references(document, document.get("$defs", {}), _simplify_input)
    schema.pop("description", None)
    # That unknown arguments are refused is not published: hosts would refuse them themselves, and without a suggestion.
    return schema


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


_IMPLIED_VALUES: tuple[tuple[str, Any], ...] = (
    ("default", None),
    ("default", []),
    ("default", False),
    ("minLength", 1),
    ("minimum", 0),
    ("minimum", 1),
)
"""What goes without saying in an input schema. That unknown arguments are refused is said once, at the root."""


_UNPUBLISHED_BOUNDS = frozenset({"exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "maxLength"})
"""Some clients refuse exclusive bounds, and no model counts by the others. They hold when a call is read."""


def _is_same(actual: Any, implied: Any) -> bool:
    """Equal, and both or neither a boolean: False is not 0."""
    return actual == implied and isinstance(actual, bool) == isinstance(implied, bool)


def _simplify_input(schema: Schema) -> Schema:
    schema = _drop_null_branch(schema)
    omitted_keys = {
        "title",
        *_UNPUBLISHED_BOUNDS,
        *(key for key, value in _IMPLIED_VALUES if key in schema and _is_same(schema[key], value)),
    }
    if schema.get("additionalProperties") is False:
        omitted_keys.add("additionalProperties")
    return {key: value for key, value in schema.items() if key not in omitted_keys}


_OUTPUT_KEYS = frozenset({"type", "properties", "items", "enum", "anyOf", "required"})


def _simplify_output(schema: Schema) -> Schema:
    schema = {key: value for key, value in _drop_null_branch(schema).items() if key in _OUTPUT_KEYS}
    # What is not known is left out of an answer, whatever the model calls required (ToolResult.to_structured_content).
    schema.pop("required", None)
    return schema
