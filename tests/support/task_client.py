"""Clients of the tasks extension: requests made by hand over either transport, and the SDK's client with a resolver."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx2
import mcp_types as types
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from pydantic import ConfigDict

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.raw_session import open_raw_session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    Send = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

EXTENSION: Final = "io.modelcontextprotocol/tasks"
REVISION: Final = "2026-07-28"
BOUND_S: Final = 20.0


class TaskCaller:
    """Sends requests of the newest protocol as documents, and reads documents."""

    def __init__(self, send: Send) -> None:
        """``send`` takes a JSON-RPC request and gives the answer to it."""
        self._send = send
        self._ids = itertools.count(1)
        self.capabilities: dict[str, Any] = {"extensions": {EXTENSION: {}}}
        """What the client says it can do, with each request."""

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a request, result or error."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        }
        request_id = next(self._ids)
        answer = await self._send(
            {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {**params, "_meta": meta}}
        )
        assert answer["id"] == request_id
        return answer

    async def request(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a request that is not refused, without the server's stamp."""
        answer = await self.ask(method, **params)
        assert "result" in answer, answer["error"]
        result = answer["result"]
        result.get("_meta", {}).pop("io.modelcontextprotocol/serverInfo", None)
        return {name: value for name, value in result.items() if value or name != "_meta"}

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a call of a tool gets at once: a result, a question or a task."""
        return await self.request("tools/call", name=tool, arguments=arguments)

    async def start(self, tool: str = "generate_image", **arguments: Any) -> str:
        """The id of the task that a call becomes."""
        created = await self.call(tool, **arguments)
        assert created["resultType"] == "task", created
        return created["taskId"]

    async def get(self, task_id: str) -> dict[str, Any]:
        """A task as it stands."""
        return await self.request("tasks/get", taskId=task_id)

    async def finish(self, task_id: str) -> dict[str, Any]:
        """A task once it is over."""
        async with asyncio.timeout(BOUND_S):
            while (task := await self.get(task_id))["status"] == "working":
                assert task["pollIntervalMs"] > 0
                await asyncio.sleep(0.05)
        return task


@asynccontextmanager
async def open_stdio_caller(environ: dict[str, str]) -> AsyncGenerator[TaskCaller]:
    """A server of its own, behind what it reads and writes."""
    async with open_raw_session(create_server(load_settings(environ))) as session:

        async def send(document: dict[str, Any]) -> dict[str, Any]:
            session.send(document)
            return await session.receive()

        yield TaskCaller(send)


@asynccontextmanager
async def open_http_caller(address: str, token: str = "") -> AsyncGenerator[TaskCaller]:
    """A client of the service at an address."""
    own_headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(base_url=address, timeout=60) as sender:

        async def send(document: dict[str, Any]) -> dict[str, Any]:
            method, params = document["method"], document["params"]
            name = str(params.get("taskId") or params.get("name") or "")
            headers = {
                **own_headers,
                "accept": "application/json, text/event-stream",
                "mcp-protocol-version": REVISION,
                "mcp-method": method,
                "mcp-name": name if name.isascii() else "",
            }
            response = await sender.post("/mcp", json=document, headers=headers)
            if not response.headers["content-type"].startswith(("application/json", "text/event-stream")):
                return {"id": document["id"], "error": {"code": response.status_code, "message": response.text}}
            lines = [line.removeprefix("data:") for line in response.text.splitlines() if line.startswith("data:")]
            return json.loads(lines[-1] if lines else response.text)

        yield TaskCaller(send)


class CreatedTask(types.Result):
    """A task as it is created or asked for."""

    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"]
    task_id: str
    status: str


class _TaskParams(types.RequestParams):
    task_id: str


class _GetTask(types.Request[_TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"


class _GetTaskResult(types.Result):
    status: str
    status_message: str | None = None
    poll_interval_ms: int | None = None
    result: types.CallToolResult | None = None


class PollingClient(ClientExtension):
    """For the SDK's client: follows the task of a call to its end, so that the call seems to wait."""

    identifier = EXTENSION

    def __init__(self) -> None:
        """No task yet."""
        self.task_ids: list[str] = []
        """Of the tasks that were followed."""

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """The one shape of the extension."""
        return [ResultClaim(result_type="task", model=CreatedTask, resolve=self._follow)]

    async def _follow(self, created: CreatedTask, context: ClaimContext) -> types.CallToolResult:
        self.task_ids.append(created.task_id)
        request = _GetTask(params=_TaskParams(task_id=created.task_id))
        async with asyncio.timeout(BOUND_S):
            while (task := await context.session.send_request(request, _GetTaskResult)).status == "working":
                await asyncio.sleep(0.05)
        assert task.result is not None, task.status_message
        return task.result
