"""The extension as the SDK serves it: that there is one, and its three methods."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import mcp_types as types
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import Context, require_client_extension
from mcp.shared.exceptions import MCPError

from atelier_mcp.server.errors import AtelierError, CallerError
from atelier_mcp.server.mcp_tasks.negotiation import CANCEL_METHOD, EXTENSION, REVISION
from atelier_mcp.server.principals import require_scope
from atelier_mcp.server.scopes import CREATE
from atelier_mcp.server.tool_answer import build_result, put_errors_in_words

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from mcp.server.context import ServerRequestContext
    from mcp.server.mcpserver.tools import Tool

    from atelier_mcp.server.mcp_tasks.call_tasks import OpenedTask
    from atelier_mcp.server.service_host import ServiceHost

    Request = ServerRequestContext[Any, Any]

NO_TASK: Final = "There is no task of this id."
"""Whether it never was, is gone, or is somebody else's."""


class TasksExtension(Extension):
    """Answers for tasks from the ledger, whichever server began them."""

    identifier = EXTENSION

    def __init__(self, service_host: ServiceHost, wait_tool: Tool | None) -> None:
        """``wait_tool`` is ``wait_for_jobs``, where it is offered."""
        self._service_host = service_host
        self._wait_tool = wait_tool

    def methods(self) -> Sequence[MethodBinding]:
        """Those of the extension's revision; a client of any other gets the same refusal as for no method at all."""
        handlers = {"tasks/get": self._get, "tasks/update": self._update, CANCEL_METHOD: self._cancel}
        revisions = frozenset({REVISION})
        # Without a model of their own for the parameters: it would be built with every start, and is hardly ever used.
        return [MethodBinding(method, types.RequestParams, handler, revisions) for method, handler in handlers.items()]

    async def _get(self, request: Request, _: types.RequestParams) -> dict[str, Any]:
        """The task as it stands, and once the call is over, with what it would have answered."""
        from atelier_mcp.server.mcp_tasks.documents import build_document

        opened = await self._open(request)
        with self._explain_refusals():
            document = await build_document(opened.task, opened.jobs, opened.services)
        if document["status"] == "completed":
            result = await self._build_result(opened, request)
            document["result"] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        # The end of a job is told once; that it is not over yet was told with the task.
        await opened.services.jobs.note_answer(self._service_host.get_principal().name, opened.jobs)
        return document

    async def _update(self, request: Request, _: types.RequestParams) -> dict[str, Any]:
        """Take note of answers; no task ever asks, since a person is asked before there is one."""
        await self._open(request)
        return {}

    async def _cancel(self, request: Request, _: types.RequestParams) -> dict[str, Any]:
        """Give up the job of a call. Who only waits for jobs stops waiting: they go on, as without tasks."""
        from atelier_mcp.server.mcp_tasks.call_tasks import JobTask

        opened = await self._open(request)
        with self._explain_refusals():
            # Over HTTP the request was refused already: this holds whatever the way here.
            require_scope(self._service_host.get_principal(), CREATE)
            if isinstance(opened.task, JobTask):
                await opened.services.jobs.cancel(opened.jobs[0].id)
        return {}

    async def _open(self, request: Request) -> OpenedTask:
        """The task that a request names. Raises ``MCPError``, in the same words for one of others as for none."""
        from atelier_mcp.server.mcp_tasks.call_tasks import OpenedTask, WaitTask, parse_task_id

        require_client_extension(request, EXTENSION)
        task_id = (request.params or {}).get("taskId")
        if not isinstance(task_id, str):
            raise MCPError(types.INVALID_PARAMS, "taskId, the id of the task, is missing.")
        task = parse_task_id(task_id)
        with self._explain_refusals():
            services = await self._service_host.get_own_services()
            jobs = await services.jobs.find(task.job_ids) if task else []
        if task is None or not jobs or (isinstance(task, WaitTask) and self._wait_tool is None):
            raise MCPError(types.INVALID_PARAMS, NO_TASK)
        return OpenedTask(task, jobs, services)

    async def _build_result(self, opened: OpenedTask, request: Request) -> types.CallToolResult:
        """What the call answers now that it is over."""
        from atelier_mcp.server.job_result import build_job_result
        from atelier_mcp.server.mcp_tasks.call_tasks import WaitTask

        task, jobs, services = opened
        if isinstance(task, WaitTask):
            assert self._wait_tool is not None  # noqa: S101  # such a task is not opened without it
            arguments = {"job_ids": [*task.names], "until": task.until, "wait_s": 0}
            return await self._wait_tool.run(arguments, Context(request_context=request))

        async def build_answer() -> types.CallToolResult:
            return build_result(await build_job_result(jobs[0], services))

        return await put_errors_in_words(build_answer(), tool=jobs[0].capability, service_host=self._service_host)

    @contextmanager
    def _explain_refusals(self) -> Generator[None]:
        """Make our errors those of the protocol, in the same words."""
        try:
            yield
        except AtelierError as err:
            code = types.INVALID_PARAMS if isinstance(err, CallerError) else types.INTERNAL_ERROR
            raise MCPError(code, self._service_host.hide_home(str(err))) from err
