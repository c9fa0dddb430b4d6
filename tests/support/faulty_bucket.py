"""A door in front of a bucket's service that counts requests, and refuses or loses as many as a test says."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from tests.support.buckets import BucketService

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from typing import Literal

    from starlette.requests import Request

    Outcome = Literal["pass", "refuse", "lose"]

REFUSAL = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>by a test</Message></Error>"


class FaultyBucket:
    """Passes requests on. ``decide`` says what becomes of one, by its method and path."""

    def __init__(self, endpoint: str, service: BucketService, client: httpx2.AsyncClient) -> None:
        self._endpoint = endpoint
        self._client = client
        self.service = service
        self.decide: Callable[[str, str], Outcome] = lambda _method, _path: "pass"
        self.status, self.code = 500, "InternalError"
        self.requests: Counter[str] = Counter()
        """By method, and GETs of records as ``record``."""

    async def answer(self, request: Request) -> Response:
        """What the service answers, or what a test says."""
        path = request.url.path
        self.requests[request.method] += 1
        self.requests["record"] += request.method == "GET" and path.endswith(".json")
        outcome = self.decide(request.method, path)
        if outcome == "refuse":
            return Response(REFUSAL.format(code=self.code), self.status, media_type="application/xml")
        query = f"?{request.url.query}" if request.url.query else ""
        # The host stays: it is signed, and a service that checks signatures goes by it.
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        url = f"{self._endpoint}{request.scope['raw_path'].decode()}{query}"
        answer = await self._client.request(request.method, url, headers=headers, content=await request.body())
        if outcome == "lose":
            return Response(REFUSAL.format(code="InternalError"), 500, media_type="application/xml")
        kept = {
            name: value for name, value in answer.headers.items() if name not in ("transfer-encoding", "connection")
        }
        return Response(b"" if request.method == "HEAD" else answer.content, answer.status_code, headers=kept)


@asynccontextmanager
async def open_faulty_bucket(behind: BucketService) -> AsyncGenerator[FaultyBucket]:
    """The door on a free port of loopback."""
    methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    listener = socket.create_server(("127.0.0.1", 0))
    service = BucketService(f"http://127.0.0.1:{listener.getsockname()[1]}")
    async with httpx2.AsyncClient(timeout=30) as client, asyncio.TaskGroup() as tasks:
        door = FaultyBucket(behind.endpoint, service, client)
        app = Starlette(routes=[Route("/{path:path}", door.answer, methods=methods)])
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        tasks.create_task(server.serve([listener]), name="faulty bucket")
        try:
            yield door
        finally:
            server.should_exit = True
