"""The README's tables, written from what they describe.

``python -m atelier_mcp.server.cli.readme_tables [--check] README.md``
"""

from __future__ import annotations

import sys
from pathlib import Path

from atelier_mcp.server import registry
from atelier_mcp.server.providers.discovery import discover_own_specs
from atelier_mcp.server.settings import iterate_fields


def fill_tables(text: str) -> str:
    """The document with each generated part made anew."""
    for name, table in (("tools", build_tools_table()), ("settings", build_settings_table())):
        start, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        if not rest or not after:
            raise ValueError(f"the document has no part marked {start} ... {end}")
        text = f"{before}{start}\n{table}\n{end}{after}"
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


def build_settings_table() -> str:
    """Every setting of Atelier and of its own providers, with its default and meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    # Own specs only: packages that happen to be installed must not change the README.
    for variable, field in iterate_fields(spec for spec in discover_own_specs() if not spec.is_further):
        default = field.default
        default_text = f"`{default}`" if isinstance(default, str | int | float) and default not in ("", None) else ""
        rows.append(f"| `{variable}` | {default_text} | {field.description} |")
    return "\n".join(rows)


def main(arguments: list[str]) -> int:
    """Write the document, or with ``--check`` say whether it is up to date."""
    path = Path(arguments[-1])
    old = path.read_text("utf-8")
    new = fill_tables(old)
    if "--check" not in arguments:
        path.write_text(new, "utf-8")
        return 0
    if new != old:
        print(f"{path} is out of date: run make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
