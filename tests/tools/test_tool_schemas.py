"""What a model sees of the tools: held to snapshots, to the policy and to the budget."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from atelier_mcp.server import registry
from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings

if TYPE_CHECKING:
    from atelier_mcp.server.tool_definition import ToolDefinition

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE_COMMAND = "UPDATE_SNAPSHOTS=1 .venv/bin/pytest tests/tools"
BYTES_PER_TOKEN = 4.15
MAX_TOKENS = 4_400
MAX_TOKENS_PER_TOOL = 210
DISCOVERED = registry.discover()
DEFINITIONS = {definition.name: definition for definition in DISCOVERED.definitions}
DEFAULT_DEFINITIONS = registry.select_tools(
    list(DEFINITIONS.values()),
    toolsets=(),
    providers_by_capability={d.capability: ("any",) for d in DEFINITIONS.values() if d.capability},
)


def build_visible_schema(definition: ToolDefinition) -> dict[str, Any]:
    """What is put before the model."""
    return {
        "name": definition.name,
        "description": definition.description,
        "inputSchema": definition.build_arguments().build_schema(),
    }


def estimate_tokens(value: Any) -> int:
    """An estimate from the compact JSON's length."""
    return round(len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()) / BYTES_PER_TOKEN)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_tool_changes_only_on_purpose(name: str) -> None:
    """``UPDATE_COMMAND`` accepts the change; the diff then belongs in the commit."""
    definition = DEFINITIONS[name]
    schema = {
        **build_visible_schema(definition),
        "outputSchema": definition.build_output_schema(),
        "toolset": definition.toolset,
    }
    path = SNAPSHOTS / f"{name}.json"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert path.exists(), f"{name} has no snapshot yet; write it: {UPDATE_COMMAND}"
    assert schema == json.loads(path.read_text("utf-8")), f"if that is meant: {UPDATE_COMMAND}"


def test_no_snapshot_outlives_its_tool() -> None:
    """A snapshot without a tool is dead."""
    dead = sorted({path.name for path in SNAPSHOTS.glob("*.json")} - {f"{name}.json" for name in DEFINITIONS})
    assert not dead, f"delete them from {SNAPSHOTS}"


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_argument_is_described_and_nothing_is_referenced(name: str) -> None:
    """A model reads the schema as it stands: one line per argument, no indirection."""
    schema = DEFINITIONS[name].build_arguments().build_schema()
    assert "$ref" not in json.dumps(schema)
    assert "additionalProperties" not in schema  # several hosts would refuse an argument without a suggestion
    for path, node in list_properties(schema):
        assert node.get("description"), path
        assert "title" not in node, path


def list_properties(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every property with its path, also inside lists of objects."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name, node in schema.get("properties", {}).items():
        found.append((f"{path}{name}", node))
        found += (
            list_properties(node.get("items", {}), f"{path}{name}[].") if isinstance(node.get("items"), dict) else []
        )
    return found


def test_the_default_tools_fit_the_budget_of_a_model() -> None:
    """At most 4,400 tokens, and 210 a tool on average."""
    schemas = {definition.name: build_visible_schema(definition) for definition in DEFAULT_DEFINITIONS}
    total = estimate_tokens(list(schemas.values()))
    tokens_by_name = {name: estimate_tokens(schema) for name, schema in schemas.items()}
    largest = ", ".join(
        f"{name} {tokens_by_name[name]}" for name in sorted(schemas, key=tokens_by_name.__getitem__)[-5:]
    )
    assert total <= MAX_TOKENS, f"{total} tokens where {MAX_TOKENS} are allowed: shorten descriptions. Most: {largest}"
    assert total / len(schemas) <= MAX_TOKENS_PER_TOOL, f"more than {MAX_TOKENS_PER_TOOL} a tool. Most: {largest}"


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_tool_says_whether_it_reads_destroys_repeats_and_reaches_out(name: str) -> None:
    """A client decides by these hints whether to ask its user."""
    tool_annotations = DEFINITIONS[name].annotations
    hint_values = (
        tool_annotations.read_only_hint,
        tool_annotations.destructive_hint,
        tool_annotations.idempotent_hint,
        tool_annotations.open_world_hint,
    )
    assert None not in hint_values
    capability = DEFINITIONS[name].capability
    if capability is not None and not capability.removeprefix("aws_").startswith("list_"):
        assert not tool_annotations.read_only_hint, "it makes something, and may cost money"


SERVICES = {
    "comfyui": {"COMFYUI_URL": "http://127.0.0.1:1"},
    "sd_webui": {"SD_WEBUI_URL": "http://127.0.0.1:1"},
    "openai_images": {"OPENAI_API_KEY": "sk-nobody"},
}
SERVICES["all of them"] = {
    "MHAPI_ACCESS_KEY": "nobody",
    "MHAPI_SECRET_KEY": "nobody",
    "MIAOHUA_EMAIL": "nobody@example.org",
    "MIAOHUA_PASSWORD": "nobody",
    "SENSENOVA_API_KEY": "nobody",
    "SD_AWS_URL": "http://127.0.0.1:1",
    "SD_AWS_API_KEY": "nobody",
    **{name: value for settings in SERVICES.values() for name, value in settings.items()},
}


@pytest.mark.parametrize("settings", SERVICES.values(), ids=SERVICES)
async def test_the_tools_of_one_service_and_of_all_fit_the_budget_too(tmp_path: Path, settings: dict[str, str]) -> None:
    """With fewer tools, and all that only this one understands; or with the choice between all."""
    async with Client(create_server(load_settings({"ATELIER_HOME": str(tmp_path), **settings}))) as client:
        tools = (await client.list_tools()).tools
    total = estimate_tokens(
        [{"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema} for tool in tools]
    )
    assert total <= MAX_TOKENS
    assert total / len(tools) <= MAX_TOKENS_PER_TOOL, f"{total} tokens for {len(tools)} tools"
