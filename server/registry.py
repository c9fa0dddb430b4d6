"""From functions in ``atelier_mcp.tools`` to the tools that are served: the decorator, discovery and selection.

    tools/generate_image.py   @tool makes a ToolDefinition of its function
    discover()                every definition of the package, and the files that hold none
    select_tools()            those of the asked toolsets that a configured provider can serve
    tool_listing.list_tools() what clients are told of these
    tool_call.publish_tool()  one of them as the SDK serves it

Nothing in ``server/`` names a tool: adding one is adding its file.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import mcp_types as types

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.requests.base import Request, ToolArguments
from atelier_mcp.server.tool_definition import BrokenTool, DiscoveredTools, ToolDefinition, Toolset
from atelier_mcp.server.tool_result import ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from importlib.machinery import FileFinder

    from atelier_mcp.server.tool_definition import ToolFunction

log: logging.Logger = logging.getLogger(__name__)

TOOLSETS: Final[tuple[str, ...]] = typing.get_args(Toolset)
# The list of tools is paid for in every conversation: these two wait until they are asked for.
DEFAULT_TOOLSETS: Final = frozenset(TOOLSETS) - {"train", "aws"}


class InvalidTool(Exception):
    """A file under ``tools/`` is not written as a tool."""


def tool(
    *,
    toolset: Toolset,
    read_only: bool,
    destructive: bool,
    idempotent: bool,
    open_world: bool = False,
    title: str = "",
    capability: str | None = None,
    waits: bool = False,
    hidden_options: Collection[str] = (),
    by_default: bool = True,
    opens_studio: bool = False,
) -> Callable[[ToolFunction], ToolFunction]:
    """Publish an async function ``(request, context) -> ToolResult`` as a tool of the same name.

    Its docstring is what the model reads; its arguments are the fields of the model that annotates ``request``, with
    ``wait_s`` before them where it ``waits``. ``capability`` is that of the request; a tool that takes
    ``ToolArguments`` and still needs a provider names it here. ``open_world`` is for tools that bring in what anybody
    may have written: clients ask their user about each answer of those. ``opens_studio`` is for those that make or
    change pictures; one that a model calls for itself would only put a frame into the conversation.
    """

    if toolset not in TOOLSETS:
        raise InvalidTool(f"there is no toolset {toolset!r}; server/tool_definition.py has {', '.join(TOOLSETS)}")

    def publish(function: ToolFunction) -> ToolFunction:
        request_model, result_model = _resolve_annotations(function)
        name = function.__name__
        function.definition = ToolDefinition(  # pyright: ignore[reportFunctionMemberAccess]  # read back by discovery
            name=name,
            title=title or name.replace("_", " ").capitalize(),
            description=inspect.cleandoc(function.__doc__ or ""),
            toolset=toolset,
            function=function,
            request_model=request_model,
            result_model=result_model,
            annotations=types.ToolAnnotations(
                read_only_hint=read_only,
                destructive_hint=destructive,
                idempotent_hint=idempotent,
                open_world_hint=open_world,
            ),
            capability=request_model.capability if issubclass(request_model, Request) else capability,
            waits=waits,
            hidden_options=frozenset(hidden_options),
            by_default=by_default,
            opens_studio=opens_studio,
        )
        return function

    return publish


def _resolve_annotations(function: ToolFunction) -> tuple[type[ToolArguments], type[ToolResult]]:
    """The classes of a tool's request and result.

    Annotations are looked up by name rather than evaluated: that of ``context`` may be imported for typing only.
    """
    # The annotations are texts here, because every module has `from __future__ import annotations`.
    request, *_, result = (function.__globals__.get(name) for name in function.__annotations__.values())
    if not (isinstance(request, type) and issubclass(request, ToolArguments)):
        raise InvalidTool(f"what {function.__name__} takes first is not annotated with a class of ToolArguments")
    if not (isinstance(result, type) and issubclass(result, ToolResult)):
        raise InvalidTool(f"what {function.__name__} returns is not annotated with a class of ToolResult")
    return request, result


def discover(package: str = "atelier_mcp.tools", *, toolsets: Collection[str] = ("all",)) -> DiscoveredTools:
    """The tools of the package; modules whose name starts with an underscore hold none.

    A folder is a toolset of its own, which is read only where ``toolsets`` names it, or all. A file that cannot be
    read ends nothing: it comes back as a ``BrokenTool``.
    """
    tools = list(_iterate_tools(package, toolsets))
    definitions = [found for found in tools if isinstance(found, ToolDefinition)]
    return DiscoveredTools(
        definitions=sorted(definitions, key=lambda definition: definition.name),
        broken=[found for found in tools if isinstance(found, BrokenTool)],
    )


def _iterate_tools(package: str, toolsets: Collection[str]) -> Iterator[ToolDefinition | BrokenTool]:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        path = f"{package}.{module.name}"
        try:
            if not module.ispkg:
                if not module.name.startswith("_"):
                    yield load_definition(path, module.name)
            elif {module.name, "all"} & set(toolsets):
                yield from _iterate_tools(path, toolsets)
        except Exception as err:  # a file may fail in any way while it is imported
            log.debug("a tool could not be loaded", exc_info=True)
            name = f"{module.name}/__init__.py" if module.ispkg else f"{module.name}.py"
            reason = str(err) if isinstance(err, InvalidTool) else f"{type(err).__name__}: {err}"
            yield BrokenTool(Path(cast("FileFinder", module.module_finder).path, name), " ".join(reason.split()))


def load_definition(module_path: str, name: str) -> ToolDefinition:
    """The tool of a file; file, function and tool have one name."""
    function = getattr(importlib.import_module(module_path), name, None)
    if function is None:
        raise InvalidTool(f"it has no function {name}, and file, function and tool have one name")
    definition = getattr(function, "definition", None)
    if not isinstance(definition, ToolDefinition):
        raise InvalidTool(f"its function {name} has no @tool above it")
    return definition


def select_tools(
    definitions: Sequence[ToolDefinition],
    *,
    toolsets: Collection[str],
    providers_by_capability: Mapping[str, Sequence[str]],
) -> list[ToolDefinition]:
    """The tools of the asked toolsets that a configured provider can serve.

    ``toolsets`` empty means the default ones; ``providers_by_capability`` maps a capability to the providers that
    offer it.
    """
    unknown = sorted(set(toolsets) - {*TOOLSETS, "all"})
    if unknown:
        raise ConfigurationError(
            f"ATELIER_TOOLSETS: there is no toolset {unknown[0]!r}; there are {', '.join(TOOLSETS)}, or all."
        )

    def is_selected(definition: ToolDefinition) -> bool:
        if not toolsets:
            return definition.toolset in DEFAULT_TOOLSETS and definition.by_default
        return "all" in toolsets or definition.toolset in toolsets

    return [
        d for d in definitions if is_selected(d) and (d.capability is None or providers_by_capability.get(d.capability))
    ]
