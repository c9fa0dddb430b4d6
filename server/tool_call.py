"""A tool as the SDK serves it: from a client's arguments to the result, and the boundary that no error crosses."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.requests.base import Request
from atelier_mcp.server.tool_result import FACTS_KEY
from atelier_mcp.server.views.pages import STUDIO_TOOL_META

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mcp.server.mcpserver import Context

    from atelier_mcp.server.service_host import ServiceHost
    from atelier_mcp.server.tool_arguments import FlatArguments
    from atelier_mcp.server.tool_definition import ToolDefinition, ToolFunction
    from atelier_mcp.server.tool_result import ToolResult

log: logging.Logger = logging.getLogger(__name__)


class AtelierTool(Tool):
    """A tool that validates and words its errors itself; the SDK's own texts are for its own tools."""

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:  # noqa: ARG002  # the SDK's signature
        """Answer one call; never raises but for cancellation."""
        return await self.fn(arguments, context)


def publish_tool(
    definition: ToolDefinition,
    *,
    service_host: ServiceHost,
    providers: Sequence[str],
    exclusive_fields: Mapping[str, str | None],
    is_brief: bool = False,
) -> Tool:
    """The tool as the SDK serves it; with several ``providers`` it gets an argument to choose one.

    ``exclusive_fields`` are those of its request that a configured provider alone understands, each with the
    ``module:class`` of its type where that is loaded only when it is offered; ``is_brief`` publishes such a type by the
    first names of its fields.
    """
    arguments = definition.build_arguments(providers=providers, exclusive_fields=exclusive_fields, is_brief=is_brief)
    output_schema = definition.build_output_schema()
    metadata = FuncMetadata(
        arg_model=ArgModelBase,  # the SDK asks for its own base class; an AtelierTool validates by itself
        output_model=None if output_schema is None else definition.result_model,
        output_schema=output_schema,
    )
    return AtelierTool(
        fn=ToolRunner(definition.function, arguments, service_host).answer,
        name=definition.name,
        title=definition.title,
        description=definition.description,
        parameters=arguments.build_schema(),
        fn_metadata=metadata,
        is_async=True,
        context_kwarg=None,
        annotations=definition.annotations,
        meta=STUDIO_TOOL_META if definition.opens_studio else None,
    )


@dataclass(frozen=True, slots=True)
class ToolRunner:
    """Runs a tool's function for each call of a client."""

    function: ToolFunction
    arguments: FlatArguments
    service_host: ServiceHost

    async def answer(self, raw_arguments: dict[str, Any], context: Context[Any, Any]) -> types.CallToolResult:
        """What the tool answers. Our errors become words, anything else a logged crash with a neutral message."""
        try:
            return _build_result(await self._run(raw_arguments, context))
        # A result that is marked as an error, not an error of the protocol: only the former is put before the model.
        except AtelierError as err:
            return _build_error_result(str(err))
        except Exception:  # the boundary: a bug must not reach the model as a stack trace
            name = self.function.__name__
            incident_id = uuid.uuid4().hex[:8]
            log.exception("tool crashed", extra={"tool": name, "incident": incident_id})
            return _build_error_result(
                f"{name} failed inside Atelier (incident {incident_id}, see the server's log).\n"
                "A job that was already accepted goes on: look for it with list_jobs before asking again."
            )

    async def _run(self, raw_arguments: dict[str, Any], context: Context[Any, Any]) -> ToolResult:
        request, options = self.arguments.parse(raw_arguments)  # a wrong call opens nothing
        async with self.service_host.open_context(context, options) as tool_context:
            if isinstance(request, Request):
                settings = tool_context.services.settings
                request = request.with_output_defaults({"format": settings.format, "watermark": settings.watermark})
            return await self.function(request, tool_context)


def _build_result(result: ToolResult) -> types.CallToolResult:
    content = [types.TextContent(type="text", text=result.format_text()), *result.blocks]
    if result.shows_images:
        return types.CallToolResult(content=content, _meta={FACTS_KEY: result.to_facts()})
    return types.CallToolResult(content=content, structured_content=result.to_facts())


def _build_error_result(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
