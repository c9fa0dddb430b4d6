"""From a function in ``atelier_mcp.tools`` to a published tool: discovery, schemas, validation, the error boundary."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import logging
import pkgutil
import typing
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Optional, TypeAlias

import mcp_types as types
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from pydantic import BaseModel, Field, ValidationError, create_model

from atelier_mcp.server.errors import AtelierError, ConfigurationError
from atelier_mcp.server.schemas import build_input_schema, build_output_schema
from atelier_mcp.server.validation import explain_errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from types import ModuleType

    from mcp.server.mcpserver import Context

    from atelier_mcp.server.tool_context import ServiceHost
    from atelier_mcp.server.tool_result import ToolResult

log = logging.getLogger(__name__)

Toolset: TypeAlias = Literal[
    "create", "edit", "faces", "understand", "chat", "jobs", "library", "models", "train", "aws"
]
DEFAULT_TOOLSETS: tuple[Toolset, ...] = ("create", "edit", "faces", "understand", "chat", "jobs", "library", "models")
TOOLSETS: tuple[str, ...] = typing.get_args(Toolset)

ToolFunction: TypeAlias = "Callable[[Any, Any], Awaitable[ToolResult]]"


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool as its file states it."""

    name: str
    title: str
    description: str
    toolset: Toolset
    function: ToolFunction
    arguments_model: type[BaseModel]
    result_model: type[ToolResult]
    annotations: types.ToolAnnotations
    capability: str | None
    """What a provider must offer for the tool to be listed; None for tools of our own."""
    by_default: bool


def tool(
    *,
    toolset: Toolset,
    read_only: bool,
    destructive: bool,
    idempotent: bool,
    open_world: bool = True,
    title: str = "",
    by_default: bool = True,
) -> Callable[[ToolFunction], ToolFunction]:
    """Publish an async function ``(arguments, studio) -> Answer`` as a tool of the same name.

    Its docstring is what the model reads; its arguments are the fields of the model that annotates ``arguments``.
    """

    def publish(function: ToolFunction) -> ToolFunction:
        arguments_model, result_model = (
            _resolve_annotation(function, "arguments"),
            _resolve_annotation(function, "return"),
        )
        name = function.__name__
        function.definition = ToolDefinition(  # pyright: ignore[reportFunctionMemberAccess]  # read back by discovery
            name=name,
            title=title or name.replace("_", " ").capitalize(),
            description=inspect.cleandoc(function.__doc__ or ""),
            toolset=toolset,
            function=function,
            arguments_model=arguments_model,
            result_model=result_model,
            annotations=types.ToolAnnotations(
                read_only_hint=read_only,
                destructive_hint=destructive,
                idempotent_hint=idempotent,
                open_world_hint=open_world,
            ),
            capability=getattr(arguments_model, "capability", None),
            by_default=by_default,
        )
        return function

    return publish


def _resolve_annotation(function: ToolFunction, annotation_name: str) -> Any:
    """The class that annotates a place of a function in ``atelier_mcp.tools``, where annotations are plain names."""
    return function.__globals__[function.__annotations__[annotation_name]]


def discover_tools(package: str = "atelier_mcp.tools", *, toolsets: Collection[str] = ("all",)) -> list[ToolDefinition]:
    """Every tool of the package, by name; modules whose name starts with an underscore hold none.

    A folder is a toolset of its own, which is read only where ``toolsets`` names it, or all.
    """
    parent = importlib.import_module(package)
    found: list[ToolDefinition] = []
    for module in pkgutil.iter_modules(parent.__path__):
        path = f"{package}.{module.name}"
        if module.ispkg:
            found += discover_tools(path) if {module.name, "all"} & set(toolsets) else []
        elif not module.name.startswith("_"):
            found.append(_get_definition(importlib.import_module(path), module.name))
    return sorted(found, key=lambda definition: definition.name)


def _get_definition(module: ModuleType, name: str) -> ToolDefinition:
    return getattr(module, name).definition


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


def build_tool(
    definition: ToolDefinition,
    *,
    service_host: ServiceHost,
    providers: Sequence[str],
    exclusive_fields: Mapping[str, str | None] | None = None,
) -> Tool:
    """The tool as the SDK serves it; with several ``providers`` it gets an argument to choose one.

    ``exclusive_fields`` are those that a configured provider alone understands: they are offered although the request
    hides them, with the type at ``module:class`` where one is given.
    """
    arguments_model = _add_exclusive_fields(
        _add_provider_field(definition.arguments_model, providers), exclusive_fields or {}
    )
    metadata = FuncMetadata(
        arg_model=ArgModelBase,  # the SDK asks for its own base class; a StudioTool validates by itself
        output_model=definition.result_model,
        output_schema=build_output_schema(definition.result_model),
    )
    return AtelierTool(
        fn=functools.partial(_call_tool, definition, arguments_model, service_host),
        name=definition.name,
        title=definition.title,
        description=definition.description,
        parameters=build_input_schema(arguments_model),
        fn_metadata=metadata,
        is_async=True,
        context_kwarg=None,
        annotations=definition.annotations,
    )


class AtelierTool(Tool):
    """A tool that validates and words its errors itself; the SDK's own texts are for its own tools."""

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:  # noqa: ARG002  # the SDK's signature
        """Answer one call; never raises but for cancellation."""
        return await self.fn(arguments, context)


def _add_provider_field(arguments_model: type[BaseModel], providers: Sequence[str]) -> type[BaseModel]:
    if len(providers) < 2:
        return arguments_model
    choice: Any = Optional[Literal[tuple(providers)]]  # noqa: UP045  # X | None wants a type, and this is built at run time
    field = Field(None, description="Service")
    fields: dict[str, Any] = {"provider": (choice, field)}
    return create_model(arguments_model.__name__, __base__=arguments_model, **fields)


def _add_exclusive_fields(
    arguments_model: type[BaseModel], exclusive_fields: Mapping[str, str | None]
) -> type[BaseModel]:
    """The arguments with what the configured providers alone understand; only then are its types loaded."""
    if not exclusive_fields:
        return arguments_model
    field_definitions = {
        name: _load_field_definition(arguments_model, name, class_path)
        for name, class_path in exclusive_fields.items()
        if class_path is not None
    }
    model = create_model(arguments_model.__name__, __base__=arguments_model, **field_definitions)
    model.hidden_fields = getattr(arguments_model, "hidden_fields", frozenset[str]()) - exclusive_fields.keys()  # pyright: ignore[reportAttributeAccessIssue]  # every Request has it
    return model


def _load_field_definition(arguments_model: type[BaseModel], field_name: str, class_path: str) -> Any:
    """A field with the class at ``module:class`` in place of its general type."""
    module, _, class_name = class_path.partition(":")
    field_type = getattr(importlib.import_module(module), class_name)
    return (field_type | None, Field(None, description=arguments_model.model_fields[field_name].description))


async def _call_tool(
    definition: ToolDefinition,
    arguments_model: type[BaseModel],
    service_host: ServiceHost,
    raw_arguments: dict[str, Any],
    context: Context[Any, Any],
) -> types.CallToolResult:
    """The error boundary: our errors become words, anything else a logged crash with a neutral message."""
    try:
        arguments = arguments_model.model_validate(_parse_json_texts(arguments_model, raw_arguments))
    except ValidationError as err:
        lines = explain_errors(err, arguments_model)
        return _build_error_result("\n".join([*lines[:8], "Nothing was done. Correct this and call again."]))
    try:
        async with service_host.open_context(context) as tool_context:
            result = await definition.function(arguments, tool_context)
    except AtelierError as err:
        return _build_error_result(str(err))
    except Exception:  # the boundary: a bug must not reach the model as a stack trace
        incident_id = uuid.uuid4().hex[:8]
        log.exception("tool crashed", extra={"tool": definition.name, "incident": incident_id})
        return _build_error_result(
            f"{definition.name} failed inside Atelier (incident {incident_id}, see the server's log).\n"
            "A job that was already accepted goes on: look for it with list_jobs before asking again."
        )
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=result.format_text()), *result.blocks],
        structured_content=result.to_structured_content(),
    )


def _build_error_result(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


def _parse_json_texts(arguments_model: type[BaseModel], raw_arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with lists and objects that came as JSON texts read; some clients send them so."""
    return {
        name: _parse_json_text(value) if _has_list_type(arguments_model, name) else value
        for name, value in raw_arguments.items()
    }


def _has_list_type(arguments_model: type[BaseModel], name: str) -> bool:
    field = arguments_model.model_fields.get(name)
    return field is not None and ("tuple" in str(field.annotation) or "list" in str(field.annotation))


def _parse_json_text(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
