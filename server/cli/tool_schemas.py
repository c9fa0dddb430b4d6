"""The tools as an agent sees them, found by name for people, with an example call made from their schema."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.cli import _client
from atelier_mcp.server.cli.usage import UsageError
from atelier_mcp.server.tool_names import RENAMED_TOOLS, explain_missing_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import mcp_types as types

    from atelier_mcp.server.settings import Settings

Schema = dict[str, Any]

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "generate_image": {"prompt": "a red kite over dunes", "samples": 2},
    "inpaint_image": {
        "image": "photo.jpg",
        "shapes": [{"type": "box", "points": [40, 40, 200, 160]}],
        "prompt": "a bunch of tulips",
    },
    "erase_object": {"image": "photo.jpg", "shapes": [{"type": "box", "points": [40, 40, 200, 160]}]},
    "cut_out_subject": {"image": "photo.jpg"},
    "outpaint_image": {"image": "photo.jpg", "aspect": "16:9"},
    "upscale_image": {"image": "photo.jpg", "ratio": 2},
    "stylize_image": {"image": "photo.jpg", "style": "style_watercolour"},
    "compose_images": {
        "layers": [{"image": "cutout.png", "x": 40, "y": 60}],
        "background": "#204060",
        "width": 800,
        "height": 600,
    },
    "transform_image": {"image": "photo.jpg", "width": 800, "format": "png"},
    "ask_for_mask": {"image": "photo.jpg", "why": "the sign that is to go"},
    "make_mask": {"image": "photo.jpg", "shapes": [{"type": "ellipse", "points": [40, 40, 200, 160]}]},
    "detect_faces": {"image": "portrait.jpg"},
    "swap_faces": {"image": "group.jpg", "faces": [{"image": "portrait.jpg"}]},
    "describe_image": {"image": "photo.jpg"},
    "chat": {"messages": [{"role": "user", "content": "Name three colours of dusk."}]},
    "chat_with_image": {"messages": [{"role": "user", "content": "Draw a lighthouse."}]},
    "wait_for_jobs": {},
    "list_jobs": {"states": ["active"], "since": "2h"},
    "cancel_jobs": {"job_ids": ["job_..."]},
    "import_image": {"image": "photo.jpg"},
    "view_image": {"image": "photo.jpg", "longest_px": 800},
    "list_models": {"kind": ["style"]},
    "train_lora": {"images": ["a.jpg", "b.jpg", "c.jpg"], "subject": "animals", "name": "tabby"},
    "create_dataset": {"name": "cats", "images": ["a.jpg", "b.jpg"]},
    "add_dataset_images": {"dataset_id": "123", "images": ["c.jpg"]},
    "list_datasets": {},
    "remove_dataset_images": {"dataset_id": "123", "images": ["img_..."]},
    "aws_add_checkpoint": {"kind": "Lora", "file": "tabby.safetensors"},
    "aws_create_dataset": {
        "name": "cats",
        "files": ["a.jpg", "b.jpg"],
        "captions": ["a cat asleep", "a cat on a roof"],
    },
    "aws_create_training": {"name": "tabby", "base": "123", "datasets": ["cats"], "prompt": "a photo of a tabby cat"},
    "aws_create_training_base": {"name": "cats-base", "file": "v1-5.safetensors"},
    "aws_delete_endpoints": {"names": ["esd-async-123"]},
    "aws_deploy_endpoint": {"instance_type": "ml.g5.2xlarge", "instances": 1},
    "aws_disable_checkpoint": {"checkpoint_id": "123"},
    "aws_list_checkpoints": {"kinds": ["Lora"]},
    "aws_list_inference_jobs": {"limit": 5},
    "aws_merge_models": {"primary": "v1-5.safetensors", "secondary": "painted.safetensors"},
    "aws_start_training": {"training_id": "123"},
}
"""A useful call of each tool; of one that is not here, its required arguments are shown."""


async def list_tools(settings: Settings) -> list[types.Tool]:
    """The tools of these settings. Nothing is opened."""
    async with _client.open_client(settings) as client:
        return (await client.list_tools()).tools


def find_tool(name: str, tools: Sequence[types.Tool], settings: Settings) -> types.Tool:
    """The tool of that name, or of the name that replaced it. Raises ``UsageError``: it is off, or what was meant."""
    found = next((tool for tool in tools if tool.name == RENAMED_TOOLS.get(name, name)), None)
    if found is None:
        missing = explain_missing_tool(name, settings)
        raise UsageError(missing.problem, hint=f"{missing.remedy} atelier tools lists those that are on.")
    return found


def build_example(name: str, schema: Schema) -> dict[str, Any]:
    """Arguments that show how the tool of that name is called."""
    if name in EXAMPLES:
        return dict(EXAMPLES[name])
    properties: Schema = schema.get("properties", {})
    return {argument: _build_sample(argument, properties[argument]) for argument in schema.get("required", [])}


def _build_sample(name: str, schema: Schema) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return [_build_sample(name, schema.get("items", {}))]
        case "object":
            properties: Schema = schema.get("properties", {})
            required = schema.get("required") or list(properties)[:1]
            return {key: _build_sample(key, properties[key]) for key in required}
        case _:
            return "photo.jpg" if name.startswith("image") else f"{name}..."


def format_call(name: str, arguments: Mapping[str, Any]) -> str:
    """The call as it is typed into a shell."""
    return " ".join(["atelier", "call", name, *(_format_pair(key, value) for key, value in arguments.items())])


def _format_pair(key: str, value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str | int) for item in value):  # pyright: ignore[reportUnknownVariableType]
        value = ",".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{key}={shlex.quote(text)}"


def iterate_arguments(schema: Schema, *, prefix: str = "") -> Iterator[tuple[str, bool, Schema]]:
    """Each argument with whether it is required, those inside of others behind them: ``shapes[].points``."""
    required = schema.get("required", [])
    for name, own in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, name in required, own
        inner = own.get("items", {}) if own.get("type") == "array" else own
        yield from iterate_arguments(inner, prefix=f"{path}{'[]' if inner is not own else ''}.")


def read_bounds(name: str) -> Schema:
    """The arguments of a tool with all of their bounds, as its own code states them."""
    from atelier_mcp.server import registry
    from atelier_mcp.server.schemas import build_bounded_schema

    definition = next(d for d in registry.discover().definitions if d.name == name)
    arguments = definition.build_arguments()
    options, request = (build_bounded_schema(model) for model in (arguments.options_model, arguments.request_model))
    return {"properties": options.get("properties", {}) | request.get("properties", {})}


def add_bounds(schema: Schema, bounded: Schema) -> Schema:
    """A published schema, at every depth with the bounds that it leaves out."""
    bounds = {key: bounded[key] for key in _BOUND_KEYS if key in bounded}
    inner = {
        key: add_bounds(schema[key], bounded.get(key, {})) for key in ("items",) if isinstance(schema.get(key), dict)
    }
    if "properties" in schema:
        known = bounded.get("properties", {})
        properties = {name: add_bounds(own, known.get(name, {})) for name, own in schema["properties"].items()}
        inner["properties"] = properties
    return bounds | schema | inner


_BOUND_KEYS: Final = ("minimum", "maximum", "minItems", "maxItems")


def format_allowed_values(schema: Schema) -> str:
    """Type, bounds and default in a few words."""
    if "enum" in schema:
        kind = ", ".join(map(str, schema["enum"]))
    elif schema.get("type") == "array":
        items = schema.get("items", {})
        count = _format_range(schema.get("minItems"), schema.get("maxItems"))
        kind = f"list{count}" + (f" of {format_allowed_values(items)}" if items else "")
    else:
        kind = f"{schema.get('type', 'any')}{_format_range(schema.get('minimum'), schema.get('maximum'))}"
    return f"{kind} (default {schema['default']})" if "default" in schema else kind


def _format_range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" {_format_number(low)} to {_format_number(high)}"
    if low is not None:
        return f" from {_format_number(low)}"
    return "" if high is None else f" up to {_format_number(high)}"


def _format_number(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"
