"""A page of the documentation for each tool: what it does, a picture, a call, and every argument.

``python -m atelier_mcp.server.cli.tool_pages [--check|--pictures] docs/tools``

``--pictures`` makes the pictures anew, with the built-in engine and the example photos.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server import registry
from atelier_mcp.server.cli.generated_files import write_or_check
from atelier_mcp.server.cli.tool_schemas import (
    add_bounds,
    build_example,
    format_allowed_values,
    format_call,
    iterate_arguments,
    read_bounds,
)
from atelier_mcp.server.tool_result import get_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.tool_definition import ToolDefinition

IMAGES: Final[Mapping[str, Mapping[str, Any]]] = {
    "generate_image": {"prompt": "a red sailboat at dawn, oil painting", "seed": 7, "width": 768, "height": 512},
    "inpaint_image": {
        "image": "coffee.png",
        "shapes": [{"type": "box", "points": [70, 10, 490, 385]}],
        "prompt": "a vase of tulips",
        "seed": 3,
    },
    "erase_object": {"image": "rocket.jpg", "shapes": [{"type": "box", "points": [296, 100, 352, 412]}]},
    "cut_out_subject": {"image": "coffee.png"},
    "outpaint_image": {"image": "coffee.png", "aspect": "16:9"},
    "upscale_image": {"image": "coffee.png", "ratio": 2},
    "stylize_image": {"image": "coffee.png", "style": "style_watercolour"},
    "swap_faces": {"image": "grace_hopper.jpg", "faces": [{"image": "astronaut.png"}]},
    "chat_with_image": {"messages": [{"role": "user", "content": "Draw a lighthouse in a storm at sea."}]},
    "compose_images": {
        "layers": [{"image": "chelsea.png", "x": 60, "y": 60, "width": 360}],
        "background": "#2f6f8f",
        "width": 768,
        "height": 512,
    },
    "transform_image": {"image": "chelsea.png", "crop": [60, 20, 330, 260], "rotate": 90},
    "make_mask": {"image": "chelsea.png", "shapes": [{"type": "ellipse", "points": [110, 40, 330, 260]}]},
    "view_image": {"image": "astronaut.png", "region": [150, 0, 220, 220]},
}
"""The call whose picture a tool's page shows; paths are those of the example photos."""
PHOTOS: Final = Path(__file__).resolve().parents[2] / "examples" / "photos"
MAX_IMAGE_PX: Final = 480


def build_pages(images: Path) -> dict[str, str]:
    """Every page by its file; a picture is shown where ``images`` has one."""
    definitions = registry.discover().definitions
    pages = {
        f"{tool.name}.md": build_page(tool, has_image=_get_image(images, tool.name).exists()) for tool in definitions
    }
    return {"README.md": _build_index(definitions), **pages}


def build_page(tool: ToolDefinition, *, has_image: bool) -> str:
    """The page of one tool."""
    schema = tool.build_arguments().build_schema()
    example = build_example(tool.name, schema)
    parts = [
        f"# {tool.name}",
        " ".join(tool.description.split()),
        _describe_toolset(tool),
        *_build_image_part(tool.name, has_image=has_image),
        "## A call",
        f"```sh\n{format_call(tool.name, example)}\n```",
        f"An agent's arguments:\n\n```json\n{json.dumps(example, indent=2)}\n```",
        "## Arguments",
        _build_argument_table(add_bounds(schema, read_bounds(tool.name))),
    ]
    return "\n\n".join(parts) + "\n"


def _describe_toolset(tool: ToolDefinition) -> str:
    is_on = tool.toolset in registry.DEFAULT_TOOLSETS and tool.by_default
    state = "on by default" if is_on else "off unless `ATELIER_TOOLSETS` names it"
    hints = tool.annotations
    kind = (
        "reads only" if hints.read_only_hint else "may delete or overwrite" if hints.destructive_hint else "adds only"
    )
    return f"Toolset `{tool.toolset}`, {state}; {kind}."


def _build_image_part(name: str, *, has_image: bool) -> list[str]:
    if not has_image:
        return []
    words = json.dumps(IMAGES[name])
    return [f"![{name}](pictures/{name}.jpg)", f"Made by the built-in engine from `{words}`."]


def _build_argument_table(schema: dict[str, Any]) -> str:
    rows = ["| argument | what it is | allowed |", "|---|---|---|"]
    for path, is_required, own in iterate_arguments(schema):
        name = f"`{path}` (required)" if is_required else f"`{path}`"
        cells = (name, _escape(own.get("description", "")), _escape(format_allowed_values(own)))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) if len(rows) > 2 else "It takes none."


def _escape(text: str) -> str:
    """A text as a table's cell takes it."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def _build_index(definitions: list[ToolDefinition]) -> str:
    order = list(registry.TOOLSETS)
    rows = [
        "# Tools",
        "",
        "Which of them are on is said by `ATELIER_TOOLSETS`.",
        "",
        "| tool | toolset | what it does |",
    ]
    rows.append("|---|---|---|")
    for tool in sorted(definitions, key=lambda d: (order.index(d.toolset), d.name)):
        description = _escape(" ".join(tool.description.split()))
        rows.append(f"| [{tool.name}]({tool.name}.md) | {tool.toolset} | {description} |")
    return "\n".join(rows) + "\n"


def _get_image(folder: Path, name: str) -> Path:
    return folder / f"{name}.jpg"


async def make_images(folder: Path) -> None:
    """Call each tool of ``IMAGES`` and keep what it shows, small."""
    from atelier_mcp.server.cli import _client
    from atelier_mcp.server.settings import load_settings

    async with _client.open_client(load_settings()) as client:
        for name, arguments in IMAGES.items():
            result = await _client.call_tool(client, name, _with_full_paths(arguments, PHOTOS))
            while not (previews := [block for block in result.content if block.type == "image"]):
                # A busy machine takes longer than a call waits.
                job_id = get_facts(result).get("job_id") or get_facts(result)["jobs"][0]["job_id"]
                result = await _client.call_tool(client, "wait_for_jobs", {"job_ids": [job_id]})
            preview = previews[0]
            _save_small(preview.data, _get_image(folder, name))
            print(name)


def _with_full_paths(value: Any, photos: Path) -> Any:
    if isinstance(value, dict):
        return {key: _with_full_paths(item, photos) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_with_full_paths(item, photos) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return str(photos / value) if isinstance(value, str) and value.endswith((".png", ".jpg")) else value


def _save_small(encoded: str, path: Path) -> None:
    import base64
    import io

    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        small = image.convert("RGB")
        small.thumbnail((MAX_IMAGE_PX, MAX_IMAGE_PX))
        small.save(path, "JPEG", quality=80, optimize=True)


def main(arguments: list[str]) -> int:
    """Write the pages, make the pictures, or with ``--check`` say which pages are out of date."""
    folder = Path(arguments[-1])
    if "--pictures" in arguments:
        import asyncio

        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        asyncio.run(make_images(folder / "pictures"))
    pages = {folder / name: text for name, text in build_pages(folder / "pictures").items()}
    return write_or_check(arguments, pages, there=folder.glob("*.md"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
