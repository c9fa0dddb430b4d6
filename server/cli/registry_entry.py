"""``server.json``, by which registries of MCP servers know this one, written from the package and its settings.

``python -m atelier_mcp.server.cli.registry_entry [--check] server.json``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from atelier_mcp import __version__
from atelier_mcp.server.cli.generated_files import write_or_check
from atelier_mcp.server.cli.installation import DISTRIBUTION
from atelier_mcp.server.providers.discovery import discover_own_specs
from atelier_mcp.server.settings import iterate_fields

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

REPOSITORY: Final = "https://github.com/atelier-mcp/atelier"
"""As pyproject.toml has it."""
SCHEMA: Final = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
DESCRIPTION: Final = "An image studio for agents: generate, edit and find pictures at several services, or with no key."
MAX_DESCRIPTION_CHARS: Final = 100
"""The schema's limit."""


def get_registry_name() -> str:
    """The name in the registry: ``io.github.OWNER/atelier``. README holds it, too, which proves the ownership."""
    owner, name = REPOSITORY.split("/")[-2:]
    return f"io.github.{owner}/{name}"


def build_document() -> dict[str, Any]:
    """The whole document."""
    return {
        "$schema": SCHEMA,
        "name": get_registry_name(),
        "title": "Atelier",
        "description": DESCRIPTION,
        "repository": {"url": REPOSITORY, "source": "github"},
        "version": __version__,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": DISTRIBUTION,
                "version": __version__,
                "runtimeHint": "uvx",
                "runtimeArguments": [
                    {"type": "named", "name": "--from", "value": f"{DISTRIBUTION}[engine]=={__version__}"}
                ],
                "packageArguments": [{"type": "positional", "value": "serve"}],
                "transport": {"type": "stdio"},
                "environmentVariables": [describe_variable(*pair) for pair in iterate_fields(discover_own_specs())],
            }
        ],
    }


def describe_variable(name: str, field: FieldInfo) -> dict[str, Any]:
    """A setting as the registry shows it."""
    described: dict[str, Any] = {"name": name, "description": (field.description or "").replace("`", "")}
    if is_secret(field):
        described["isSecret"] = True
    if isinstance(field.default, str | int | float) and field.default not in ("", None):
        default = field.default
        described["default"] = str(default).lower() if isinstance(default, bool) else str(default)
    return described


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting must not be shown."""
    return SecretStr.__name__ in str(field.annotation)


def main(arguments: list[str]) -> int:
    """Write the document, or with ``--check`` say whether it is up to date."""
    text = json.dumps(build_document(), indent=2, ensure_ascii=False) + "\n"
    return write_or_check(arguments, {Path(arguments[-1]): text})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
