"""The bundle that Claude Desktop installs by a double click: ``python -m atelier_mcp.server.cli.bundle dist``.

It holds the wheel that lies in the folder, and a project that ``uv`` runs it from; Python and the dependencies are
fetched on the first start. Keys are asked for by the host, which keeps them.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp import __version__
from atelier_mcp.server.cli.installation import DISTRIBUTION
from atelier_mcp.server.cli.registry_entry import DESCRIPTION, REPOSITORY, is_secret
from atelier_mcp.server.providers.discovery import discover_own_specs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

MANIFEST_VERSION: Final = "0.4"
ENTRY_POINT: Final = "server/main.py"
ICON_PX: Final = 512
_MAIN: Final = '''"""Starts the server of the package beside; nothing else is here."""

import sys

from atelier_mcp.server.__main__ import main

sys.argv[1:] = ["serve"]
sys.exit(main())
'''
_PROJECT: Final = """[project]
name = "atelier-bundle"
version = "{version}"
requires-python = ">=3.11"
dependencies = ["{distribution}[engine]"]

[tool.uv]
package = false

[tool.uv.sources]
{distribution} = {{ path = "{wheel}" }}
"""


def build_manifest() -> dict[str, Any]:
    """What the host reads: how the server is started, and what it asks its user for."""
    variables = dict(_iterate_asked_variables())
    return {
        "manifest_version": MANIFEST_VERSION,
        "name": DISTRIBUTION,
        "display_name": "Atelier",
        "version": __version__,
        "description": DESCRIPTION,
        "author": {"name": "The Atelier authors", "url": REPOSITORY},
        "repository": {"type": "git", "url": REPOSITORY},
        "license": "Apache-2.0",
        "icon": "icon.png",
        "server": {
            "type": "uv",
            "entry_point": ENTRY_POINT,
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", ENTRY_POINT],
                "env": {name: f"${{user_config.{name.lower()}}}" for name in variables},
            },
        },
        "compatibility": {"platforms": ["darwin", "linux", "win32"], "runtimes": {"python": ">=3.11"}},
        "tools_generated": True,
        "user_config": {name.lower(): _describe(name, field) for name, field in variables.items()},
    }


def _iterate_asked_variables() -> Iterator[tuple[str, FieldInfo]]:
    """What each service needs; other settings have defaults that are good for one person's desktop.

    Further endpoints of a service are left out: they would make the form longer than most people have services.
    """
    for spec in discover_own_specs():
        fields = spec.settings.model_fields
        for name in () if spec.is_further else (*spec.settings.required_fields, *spec.settings.alternative_fields):
            yield fields[name].alias or name, fields[name]


def _describe(name: str, field: FieldInfo) -> dict[str, Any]:
    return {
        "type": "string",
        "title": name,
        "description": (field.description or "").replace("`", ""),
        "sensitive": is_secret(field),
        "required": False,
        "default": "",
    }


def draw_icon(side_px: int = ICON_PX) -> bytes:
    """A canvas on an easel, as PNG."""
    from PIL import Image, ImageDraw

    image = Image.new("RGBA", (side_px, side_px), (0, 0, 0, 0))
    draw, unit = ImageDraw.Draw(image), side_px / 64

    def scale(*points: float) -> list[float]:
        return [point * unit for point in points]

    for line in ((32, 6, 32, 12), (22, 46, 14, 60), (42, 46, 50, 60), (32, 46, 32, 56)):
        draw.line(scale(*line), fill="#8a5a2b", width=round(3 * unit))
    draw.rounded_rectangle(
        scale(8, 12, 56, 46), radius=2 * unit, fill="#fbf7ef", outline="#8a5a2b", width=round(2 * unit)
    )
    draw.rectangle(scale(11, 15, 53, 43), fill="#2f6f8f")
    draw.ellipse(scale(37, 18, 46, 27), fill="#f4b942")
    draw.polygon(scale(11, 43, 26, 25, 38, 43), fill="#1d3b4a")
    draw.polygon(scale(28, 43, 41, 30, 53, 43), fill="#27566b")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_bundle(folder: Path) -> Path:
    """Write ``atelier.mcpb`` beside the newest wheel of this version in the folder."""
    wheel = next(iter(sorted(folder.glob(f"*-{__version__}-*.whl"))), None)
    if wheel is None:
        raise FileNotFoundError(f"{folder} holds no wheel of version {__version__}: make bundle builds it")
    project = _PROJECT.format(version=__version__, distribution=DISTRIBUTION, wheel=wheel.name)
    path = folder / "atelier.mcpb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("manifest.json", json.dumps(build_manifest(), indent=2, ensure_ascii=False) + "\n")
        bundle.writestr("pyproject.toml", project)
        bundle.writestr(ENTRY_POINT, _MAIN)
        bundle.writestr("icon.png", draw_icon())
        bundle.write(wheel, wheel.name)
    return path


def main(arguments: list[str]) -> int:
    """Write the bundle and say where it is."""
    print(write_bundle(Path(arguments[0] if arguments else "dist")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
