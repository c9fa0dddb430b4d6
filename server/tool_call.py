"""A tool as the SDK serves it: from a client's arguments to what its function returns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata

from atelier_mcp.server.approval import QuestionForClient
from atelier_mcp.server.mcp_tasks.negotiation import TaskForClient
from atelier_mcp.server.principals import require_scope
from atelier_mcp.server.tool_answer import build_result, put_errors_in_words
from atelier_mcp.server.tool_names import rename_arguments

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.server.mcpserver import Context

    from atelier_mcp.server.service_host import ServiceHost
    from atelier_mcp.server.tool_arguments import FlatArguments
    from atelier_mcp.server.tool_definition import ToolFunction
    from atelier_mcp.server.tool_listing import ListedTool
    from atelier_mcp.server.tool_plan import ToolPlan
    from atelier_mcp.server.tool_result import ToolResult


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
        self._is_local = listed.is_local
        self._plan = plan
        self._service_host = service_host
        self._loading = asyncio.Lock()
        self._loaded: tuple[ToolFunction, FlatArguments] | None = None

    async def answer(
        self, raw_arguments: dict[str, Any], context: Context[Any, Any]
    ) -> types.CallToolResult | types.InputRequiredResult | dict[str, Any]:
        """What the tool answers, or asks first; or the task, as its document, that a client which takes one gets."""
        answer = self._answer(raw_arguments, context)
        return await put_errors_in_words(
            answer, tool=self._name, service_host=self._service_host, is_local=self._is_local
        )

    async def _answer(
        self, raw_arguments: dict[str, Any], context: Context[Any, Any]
    ) -> types.CallToolResult | types.InputRequiredResult | dict[str, Any]:
        # Over HTTP the request was refused already: this holds whatever the way to the tool.
        require_scope(self._service_host.get_principal(), self._scope)
        arguments, notes = rename_arguments(self._name, raw_arguments)
        try:
            return build_result(await self._run(arguments, context), notes)
        except QuestionForClient as question:
            return question.result
        except TaskForClient as task:
            return task.build_result(notes)

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
