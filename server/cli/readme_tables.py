"""The generated parts of README.md and other documents, written from what they describe.

``python -m atelier_mcp.server.cli.readme_tables [--check] README.md docs/hosts.md``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atelier_mcp.server import registry
from atelier_mcp.server.cli.generated_files import write_or_check
from atelier_mcp.server.cli.hosts import examples
from atelier_mcp.server.cli.hosts.install_links import build_buttons
from atelier_mcp.server.cli.registry_entry import REPOSITORY
from atelier_mcp.server.cli.tool_schemas import build_example, format_call
from atelier_mcp.server.providers.discovery import discover_own_specs
from atelier_mcp.server.settings import iterate_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def fill_tables(text: str) -> str:
    """The document with each generated part made anew."""
    for name, build in _PARTS.items():
        start = f"<!-- generated: {name} -->"
        if start not in text:
            continue
        end = f"<!-- end: {name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        if not after:
            raise ValueError(f"the document has no part marked {start} ... {end}")
        text = f"{before}{start}\n{build()}\n{end}{after}"
    return text


def build_tools_table() -> str:
    """Every tool with its toolset and arguments."""
    rows = ["| tool | toolset (on by default) | what it does | arguments |", "|---|---|---|---|"]
    order = list(registry.TOOLSETS)
    for tool in sorted(registry.discover().definitions, key=lambda d: (order.index(d.toolset), d.name)):
        is_default = tool.toolset in registry.DEFAULT_TOOLSETS and tool.by_default
        description = " ".join(tool.description.split())
        names = ", ".join(f"`{name}`" for name in tool.build_arguments().visible_names)
        rows.append(f"| `{tool.name}` | {tool.toolset} ({'yes' if is_default else 'no'}) | {description} | {names} |")
    return "\n".join(rows)


def build_examples() -> str:
    """A call of every tool that is on by default, as it is typed into a shell."""
    lines = ["```sh"]
    for tool in registry.discover().definitions:
        if tool.toolset in registry.DEFAULT_TOOLSETS and tool.by_default:
            lines.append(format_call(tool.name, build_example(tool.name, tool.build_arguments().build_schema())))
    return "\n".join([*lines, "```"])


def build_settings_table() -> str:
    """Every setting of Atelier and of its own providers, with its default and meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    # Own specs only: packages that happen to be installed must not change the README.
    for variable, field in iterate_fields(spec for spec in discover_own_specs() if not spec.is_further):
        default = field.default
        default_text = f"`{default}`" if isinstance(default, str | int | float) and default not in ("", None) else ""
        rows.append(f"| `{variable}` | {default_text} | {field.description} |")
    return "\n".join(rows)


def build_hosts_table() -> str:
    """Every host with its file on each system."""
    return examples.build_table(f"{REPOSITORY}/blob/main/examples/clients/")


_PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "install links": build_buttons,
    "tools": build_tools_table,
    "examples": build_examples,
    "settings": build_settings_table,
    "hosts": build_hosts_table,
}


def main(arguments: list[str]) -> int:
    """Write the documents, or with ``--check`` say whether they are up to date."""
    paths = [Path(argument) for argument in arguments if not argument.startswith("--")]
    return write_or_check(arguments, {path: fill_tables(path.read_text("utf-8")) for path in paths})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
