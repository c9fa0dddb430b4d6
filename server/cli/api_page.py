"""The reference of what other packages may build on.

``python -m atelier_mcp.server.cli.api_page [--check] docs/api.md``

Written from signatures and docstrings. Needs the extra ``testing``.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.cli.generated_files import write_or_check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

MODULES: Final = {
    "atelier_mcp.server.providers.spec": "What a provider says of itself",
    "atelier_mcp.server.providers.context": "What a provider is built with",
    "atelier_mcp.server.providers.provider": "What a provider does",
    "atelier_mcp.server.providers.base": "What passes between a provider and the jobs",
    "atelier_mcp.server.providers.price": "What a job costs",
    "atelier_mcp.server.providers.operation": "What it does for one capability",
    "atelier_mcp.server.providers.plan_defaults": "What plans have in common",
    "atelier_mcp.server.images.exchange": "What a service accepts and gives as a picture",
    "atelier_mcp.server.providers.upstream": "One account of a service that speaks HTTP",
    "atelier_mcp.server.providers.http": "Its connections",
    "atelier_mcp.server.providers.http_messages": "What is sent and answered",
    "atelier_mcp.server.providers.rate_limit": "How fast it may be asked",
    "atelier_mcp.server.providers.faults": "What its errors mean",
    "atelier_mcp.server.providers.task_poller": "Asking about tasks",
    "atelier_mcp.server.errors": "What is raised",
    "atelier_mcp.testing": "Tests for a provider",
}
"""By module, in the order of reading, with its heading."""
_INTRODUCTION: Final = """# API reference

For packages that bring a provider of their own: [adding a provider](adding-a-provider.md) shows how, \
[VERSIONING](https://github.com/atelier-mcp/atelier/blob/main/VERSIONING.md) says what is stable. Everything else in \
the package is its own business."""


def build_page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for name, heading in MODULES.items():
        module = importlib.import_module(name)
        parts += [f"## {heading}", f"`{name}`"]
        parts += [_describe(key, value) for key, value in _iterate_public(module)]
    return "\n\n".join(parts) + "\n"


def _iterate_public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The classes and functions that the module defines, or names in ``__all__``, in the order of its text."""
    names: list[str] = getattr(module, "__all__", None) or list(vars(module))
    for name in names:
        value = getattr(module, name)
        is_own = name in getattr(module, "__all__", ()) or getattr(value, "__module__", "") == module.__name__
        if not name.startswith("_") and is_own and (inspect.isclass(value) or inspect.isfunction(value)):
            yield name, value


def _describe(name: str, value: Any) -> str:
    if inspect.isfunction(value):
        return f"### {name}\n\n`{name}{_format_signature(value)}`\n\n{_clean(inspect.getdoc(value))}"
    attributes = cast("dict[str, Any]", vars(value))
    members = [
        f"- `{member}{_format_signature(attribute)}`: {_clean(inspect.getdoc(attribute)).partition(chr(10))[0]}"
        for member, attribute in attributes.items()
        if not member.startswith("_") and _is_member(attribute)
    ]
    fields = [
        f"- `{field}: {_unquote(str(kind))}`"
        for field, kind in inspect.get_annotations(value).items()
        if not field.startswith("_")
    ]
    parts = [f"### {name}", _clean(inspect.getdoc(value)), "\n".join([*fields, *members])]
    return "\n\n".join(part for part in parts if part)


def _is_member(attribute: Any) -> bool:
    return callable(attribute) or isinstance(attribute, property | classmethod)


def _format_signature(attribute: Any) -> str:
    function: Any = getattr(attribute, "__func__", attribute)
    return _unquote(str(inspect.signature(function))) if callable(function) else ""


def _unquote(annotation: str) -> str:
    """An annotation or a signature as the source has it: no quotes around what is kept as a text, no addresses."""
    annotation = re.sub(r"ForwardRef\('([^']*)'\)", r"\1", annotation)
    return re.sub(r"<function (\w+) at 0x\w+>", r"\1", annotation).replace("'", "")


def _clean(docstring: str | None) -> str:
    """A docstring as Markdown takes it: double backticks are single there, and what is indented is code."""
    return (docstring or "").replace("``", "`").replace("<", "&lt;")


def main(arguments: list[str]) -> int:
    """Write the page, or with ``--check`` say whether it is up to date."""
    return write_or_check(arguments, {Path(arguments[-1]): build_page()})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
