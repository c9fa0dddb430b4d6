"""A tool as the SDK serves it: from a client's arguments to the result, and the boundary that no error crosses."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata

from atelier_mcp.server.approval import QuestionForClient
from atelier_mcp.server.disk_errors import explain_disk_error
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.principals import require_scope
from atelier_mcp.server.tool_names import rename_arguments
from atelier_mcp.server.tool_result import FACTS_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.server.mcpserver import Context

    from atelier_mcp.server.service_host import ServiceHost
    from atelier_mcp.server.tool_arguments import FlatArguments
    from atelier_mcp.server.tool_definition import ToolFunction
    from atelier_mcp.server.tool_listing import ListedTool
    from atelier_mcp.server.tool_plan import ToolPlan
    from atelier_mcp.server.tool_result import ToolResult

log: logging.Logger = logging.getLogger(__name__)


class AtelierTool(Tool):
    """A tool that validates and words its errors itself; the SDK's own texts are for its own tools."""

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:  # noqa: ARG002  # the SDK's signature
        """Answer one call; never raises but for cancellation."""
        return await self.fn(arguments, context)


def publish_tool(listed: ListedTool, plan: ToolPlan, service_host: ServiceHost) -> Tool:
    """The tool as the SDK serves it. Nothing of it is loaded before its first call."""
    tool = listed.tool
    return AtelierTool(
        fn=ToolRunner(listed, plan, service_host).answer,
        name=tool.name,
        title=tool.title,
        description=tool.description or "",
        parameters=tool.input_schema,
        # The SDK asks for its own base class of arguments; an AtelierTool validates by itself.
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=tool.output_schema),
        is_async=True,
        context_kwarg=None,
        annotations=tool.annotations,
        meta=tool.meta,
    )


class ToolRunner:
    """Runs a tool's function for each call of a client; the first loads it, with the models of its arguments."""

    def __init__(self, listed: ListedTool, plan: ToolPlan, service_host: ServiceHost) -> None:
        """For the tool that ``listed`` names."""
        self._module = listed.module
        self._name = listed.tool.name
        self._scope = listed.scope
        self._plan = plan
        self._service_host = service_host
        self._loading = asyncio.Lock()
        self._loaded: tuple[ToolFunction, FlatArguments] | None = None

    async def answer(
        self, raw_arguments: dict[str, Any], context: Context[Any, Any]
    ) -> types.CallToolResult | types.InputRequiredResult:
        """What the tool answers, or asks first. Our errors become words, any other a logged crash and neutral words."""
        try:
            # Over HTTP the request was refused already: this holds whatever the way to the tool.
            require_scope(self._service_host.get_principal(), self._scope)
            arguments, notes = rename_arguments(self._name, raw_arguments)
            return _build_result(await self._run(arguments, context), notes)
        except QuestionForClient as question:
            return question.result
        # A result that is marked as an error, not an error of the protocol: only the former is put before the model.
        except AtelierError as err:
            return _build_error_result(self._service_host.hide_home(str(err)))
        except Exception as err:  # noqa: BLE001  # the boundary: a bug must not reach the model as a stack trace
            reason = explain_disk_error(err)
            if reason:
                return _build_error_result(self._explain_disk(reason, err))
            return _build_error_result(self._report_incident(err))

    def _explain_disk(self, reason: str, err: Exception) -> str:
        log.error("a file of the server's cannot be used: %s", err, extra={"tool": self._name})
        return (
            f"The server cannot use its own files: {reason}. Nothing more was done.\n"
            "Whoever runs the server can mend it: look at the disk and at ATELIER_HOME."
        )

    def _report_incident(self, err: Exception) -> str:
        incident_id = uuid.uuid4().hex[:8]
        log.error("tool crashed", exc_info=err, extra={"tool": self._name, "incident": incident_id})
        return (
            f"{self._name} failed inside Atelier (incident {incident_id}, see the server's log).\n"
            "A job that was already accepted goes on: look for it with list_jobs before asking again."
        )

    async def _run(self, raw_arguments: dict[str, Any], context: Context[Any, Any]) -> ToolResult:
        from atelier_mcp.server.requests.base import Request

        function, arguments = self._loaded or await self._load()
        request, options = arguments.parse(raw_arguments)  # a wrong call opens nothing
        async with self._service_host.open_context(context, options) as tool_context:
            settings = tool_context.services.settings
            if isinstance(request, Request):
                defaults = {"format": settings.format, "watermark": settings.watermark}
                request = request.with_output_defaults(defaults)
            return await function(request, tool_context)

    async def _load(self) -> tuple[ToolFunction, FlatArguments]:
        async with self._loading:
            if self._loaded is None:
                # In a thread: importing takes long enough for other calls to notice.
                self._loaded = await asyncio.to_thread(self._import)
        return self._loaded

    def _import(self) -> tuple[ToolFunction, FlatArguments]:
        from atelier_mcp.server.registry import load_definition

        definition = load_definition(self._module, self._name)
        return definition.function, self._plan.build_arguments(definition)


def _build_result(result: ToolResult, notes: Sequence[str]) -> types.CallToolResult:
    text = "\n".join([result.format_text(), *notes])
    content = [types.TextContent(type="text", text=text), *result.blocks]
    if result.shows_images:
        return types.CallToolResult(content=content, _meta={FACTS_KEY: result.to_facts()})
    return types.CallToolResult(content=content, structured_content=result.to_facts())


def _build_error_result(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
