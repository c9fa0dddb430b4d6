"""What clients need of schemas: each rule has the name of what goes wrong in some client that people use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import Field

from atelier_mcp.server import registry
from atelier_mcp.server.requests.base import RequestModel
from atelier_mcp.server.schemas import build_input_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atelier_mcp.server.tool_definition import ToolDefinition

DEFINITIONS = registry.discover().definitions
SHOWS_NO_IMAGES = {"list_models", "list_datasets", "list_endpoints"}
"""Some of the tools whose answers are for programs as much as for a reader."""


def build_every_input_schema(definition: ToolDefinition) -> dict[str, Any]:
    """What is published where every provider is configured."""
    advanced = {"advanced": "atelier_mcp.server.requests.aws:AdvancedOptions"}
    fields = advanced if definition.name in {"generate_image", "inpaint_image"} else {}
    known = {name: path for name, path in fields.items() if name in definition.request_model.model_fields}
    return definition.build_arguments(providers=("mhapi", "sd_aws"), exclusive_fields=known).build_schema()


SCHEMAS = {definition.name: build_every_input_schema(definition) for definition in DEFINITIONS}


def list_nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every schema in a schema, itself first."""
    yield schema
    parts = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    for union in ("anyOf", "oneOf", "allOf"):
        parts += schema.get(union, [])
    for part in parts:
        yield from list_nodes(part)


@pytest.mark.parametrize("name", SCHEMAS)
def test_nothing_is_said_that_a_converter_refuses(name: str) -> None:
    """One of these, and a client takes none of the tools."""
    refused = {"$ref", "$defs", "oneOf", "anyOf", "allOf", "const", "exclusiveMinimum", "exclusiveMaximum"}
    assert not [node for node in list_nodes(SCHEMAS[name]) if node.keys() & refused]


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_client_is_told_to_refuse_unknown_arguments_itself(name: str) -> None:
    """It would do so in words of its own, and ours, which name what was meant, would never be read."""
    assert "additionalProperties" not in json.dumps(SCHEMAS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_choice_says_its_type(name: str) -> None:
    """A template prints a choice without one as ``any``."""
    assert all(node.get("type") == "string" for node in list_nodes(SCHEMAS[name]) if "enum" in node)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_argument_has_one_type(name: str) -> None:
    """Also inside of lists: a converter wants to know what they hold."""
    for node in list_nodes(SCHEMAS[name]):
        assert isinstance(node.get("type"), str), node
        assert node["type"] != "array" or "items" in node, node


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_text_is_bounded_by_the_schema(name: str) -> None:
    """Some converters drop the argument for it; a text that is too long is refused in words."""
    assert not [node for node in list_nodes(SCHEMAS[name]) if node.keys() & {"maxLength", "minLength", "pattern"}]


@pytest.mark.parametrize("name", SCHEMAS)
def test_lists_of_objects_are_explained_in_their_description(name: str) -> None:
    """Some clients drop what is nested."""
    for node in list_nodes(SCHEMAS[name]):
        if "properties" in node.get("items", {}):
            required = node["items"].get("required", [])
            assert all(field in node["description"] for field in ["{", *required]), node["description"]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda d: d.name)
def test_a_tool_that_shows_pictures_publishes_no_output_schema(definition: ToolDefinition) -> None:
    """Clients that find one show structured content in place of the pictures."""
    shows_images = definition.result_model.shows_images
    assert (definition.build_output_schema() is None) == shows_images
    assert not (shows_images and definition.name in SHOWS_NO_IMAGES)


def test_only_what_brings_in_words_of_strangers_reaches_out_into_the_open() -> None:
    """A client asks its user about each answer of such a tool."""
    assert [d.name for d in DEFINITIONS if d.annotations.open_world_hint] == ["import_image"]


class Bounds(RequestModel):
    """Arguments as pydantic words them."""

    share: float = Field(1, gt=0, lt=2, description="A share")
    count: int = Field(2, gt=1, lt=9, description="A count")
    value: str | float | bool = Field("", description="A value")


def test_exclusive_bounds_are_published_as_inclusive_ones() -> None:
    """Exact for whole numbers; for others the bound itself is refused in words when it is given."""
    properties = build_input_schema(Bounds)["properties"]
    assert (properties["count"]["minimum"], properties["count"]["maximum"]) == (2, 8)
    assert properties["share"]["maximum"] == 2
    assert properties["value"]["type"] == "string"
