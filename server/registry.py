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
from atelier_mcp.server.schemas import input_schema, output_schema
from atelier_mcp.server.validation import explain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from types import ModuleType

    from mcp.server.mcpserver import Context

    from atelier_mcp.server.answers import Answer
    from atelier_mcp.server.studio import Services

log = logging.getLogger(__name__)

Toolset: TypeAlias = Literal[
    "create", "edit", "faces", "understand", "chat", "jobs", "library", "models", "train", "aws"
]
DEFAULT_TOOLSETS: tuple[Toolset, ...] = ("create", "edit", "faces", "understand", "chat", "jobs", "library", "models")
TOOLSETS: tuple[str, ...] = typing.get_args(Toolset)

Function: TypeAlias = "Callable[[Any, Any], Awaitable[Answer]]"


@dataclass(frozen=True, slots=True)
class Definition:
    """A tool as its file states it."""

    name: str
    title: str
    description: str
    toolset: Toolset
    function: Function
    arguments: type[BaseModel]
    answer: type[Answer]
    hints: types.ToolAnnotations
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
) -> Callable[[Function], Function]:
    """Publish an async function ``(arguments, studio) -> Answer`` as a tool of the same name.

    Its docstring is what the model reads; its arguments are the fields of the model that annotates ``arguments``.
    """

    def publish(function: Function) -> Function:
        arguments, answer = _annotated(function, "arguments"), _annotated(function, "return")
        name = function.__name__
        function.definition = Definition(  # pyright: ignore[reportFunctionMemberAccess]  # read back by discovery
            name=name,
            title=title or name.replace("_", " ").capitalize(),
            description=inspect.cleandoc(function.__doc__ or ""),
            toolset=toolset,
            function=function,
            arguments=arguments,
            answer=answer,
            hints=types.ToolAnnotations(
                read_only_hint=read_only,
                destructive_hint=destructive,
                idempotent_hint=idempotent,
                open_world_hint=open_world,
            ),
            capability=getattr(arguments, "capability", None),
            by_default=by_default,
        )
        return function

    return publish


def _annotated(function: Function, place: str) -> Any:
    """The class that annotates a place of a function in ``atelier_mcp.tools``, where annotations are plain names."""
    return function.__globals__[function.__annotations__[place]]


def discover(package: str = "atelier_mcp.tools", *, toolsets: Collection[str] = ("all",)) -> list[Definition]:
    """Every tool of the package, by name; modules whose name starts with an underscore hold none.

    A folder is a toolset of its own, which is read only where ``toolsets`` names it, or all.
    """
    room = importlib.import_module(package)
    found: list[Definition] = []
    for module in pkgutil.iter_modules(room.__path__):
        path = f"{package}.{module.name}"
        if module.ispkg:
            found += discover(path) if {module.name, "all"} & set(toolsets) else []
        elif not module.name.startswith("_"):
            found.append(_definition(importlib.import_module(path), module.name))
    return sorted(found, key=lambda definition: definition.name)


def _definition(module: ModuleType, name: str) -> Definition:
    return getattr(module, name).definition


def select(
    definitions: Sequence[Definition], *, toolsets: Collection[str], serving: Mapping[str, Sequence[str]]
) -> list[Definition]:
    """The tools of the asked toolsets that a configured provider can serve.

    ``toolsets`` empty means the default ones; ``serving`` maps a capability to the providers that offer it.
    """
    unknown = sorted(set(toolsets) - {*TOOLSETS, "all"})
    if unknown:
        raise ConfigurationError(
            f"ATELIER_TOOLSETS: there is no toolset {unknown[0]!r}; there are {', '.join(TOOLSETS)}, or all."
        )

    def wanted(definition: Definition) -> bool:
        if not toolsets:
            return definition.toolset in DEFAULT_TOOLSETS and definition.by_default
        return "all" in toolsets or definition.toolset in toolsets

    return [d for d in definitions if wanted(d) and (d.capability is None or serving.get(d.capability))]


def published(
    definition: Definition, *, services: Services, providers: Sequence[str], configured: Collection[str] = ()
) -> Tool:
    """The tool as the SDK serves it; with several ``providers`` it gets an argument to choose one.

    What one provider alone understands is offered where that is among those ``configured`` with credentials.
    """
    arguments = _with_exclusives(_with_provider(definition.arguments, providers), configured)
    metadata = FuncMetadata(
        arg_model=ArgModelBase,  # the SDK asks for its own base class; a StudioTool validates by itself
        output_model=definition.answer,
        output_schema=output_schema(definition.answer),
    )
    return StudioTool(
        fn=functools.partial(_answer, definition, arguments, services),
        name=definition.name,
        title=definition.title,
        description=definition.description,
        parameters=input_schema(arguments),
        fn_metadata=metadata,
        is_async=True,
        context_kwarg=None,
        annotations=definition.hints,
    )


class StudioTool(Tool):
    """A tool that validates and words its errors itself; the SDK's own texts are for its own tools."""

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:  # noqa: ARG002  # the SDK's signature
        """Answer one call; never raises but for cancellation."""
        return await self.fn(arguments, context)


def _with_provider(arguments: type[BaseModel], providers: Sequence[str]) -> type[BaseModel]:
    if len(providers) < 2:
        return arguments
    choice: Any = Optional[Literal[tuple(providers)]]  # noqa: UP045  # X | None wants a type, and this is built at run time
    field = Field(None, description="Service")
    fields: dict[str, Any] = {"provider": (choice, field)}
    return create_model(arguments.__name__, __base__=arguments, **fields)


def _with_exclusives(arguments: type[BaseModel], configured: Collection[str]) -> type[BaseModel]:
    """The arguments with what the configured providers alone understand; only then are its types loaded."""
    exclusive: Mapping[str, str] = getattr(arguments, "exclusive", {})
    offered = {name for name, provider in exclusive.items() if provider in configured}
    if not offered:
        return arguments
    typed_by: Mapping[str, str] = getattr(arguments, "typed_by", {})
    typed = {name: _typed(arguments, name, typed_by[name]) for name in offered & typed_by.keys()}
    model = create_model(arguments.__name__, __base__=arguments, **typed)
    model.unoffered = getattr(arguments, "unoffered", frozenset[str]()) - offered  # pyright: ignore[reportAttributeAccessIssue]  # every Request has it
    return model


def _typed(arguments: type[BaseModel], name: str, place: str) -> Any:
    """A field with the class at ``module:class`` in place of its general type."""
    module, _, kind = place.partition(":")
    loaded = getattr(importlib.import_module(module), kind)
    return (loaded | None, Field(None, description=arguments.model_fields[name].description))


async def _answer(
    definition: Definition,
    model: type[BaseModel],
    services: Services,
    given: dict[str, Any],
    context: Context[Any, Any],
) -> types.CallToolResult:
    """The error boundary: our errors become words, anything else a logged crash with a neutral message."""
    try:
        arguments = model.model_validate(_parsed(model, given))
    except ValidationError as err:
        lines = explain(err, model)
        return _refusal("\n".join([*lines[:8], "Nothing was done. Correct this and call again."]))
    try:
        async with services.studio(context) as studio:
            answer = await definition.function(arguments, studio)
    except AtelierError as err:
        return _refusal(str(err))
    except Exception:  # the boundary: a bug must not reach the model as a stack trace
        incident = uuid.uuid4().hex[:8]
        log.exception("tool crashed", extra={"tool": definition.name, "incident": incident})
        return _refusal(
            f"{definition.name} failed inside Atelier (incident {incident}, see the server's log).\n"
            "A job that was already accepted goes on: look for it with list_jobs before asking again."
        )
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=answer.text()), *answer.blocks],
        structured_content=answer.document(),
    )


def _refusal(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


def _parsed(model: type[BaseModel], given: dict[str, Any]) -> dict[str, Any]:
    """The arguments with lists and objects that came as JSON texts read; some clients send them so."""
    return {name: _from_json(value) if _holds_structure(model, name) else value for name, value in given.items()}


def _holds_structure(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)
    return field is not None and ("tuple" in str(field.annotation) or "list" in str(field.annotation))


def _from_json(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
