"""The recorded stories of the middleware on AWS, sent to the emulator of the same version.

What the platform and the workers did meanwhile is in ``sd_aws_platform``.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.recordings import (
    Bindings,
    Exchange,
    collect_rows,
    find_differences,
    load_exchanges,
    read_object,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx2

    from tests.support.emulator_harness import EmulatorHarness

FIXED: Final = {"<api key>": DEMO_API_KEY, "<wrong api key>": "wrong", "<bytes>": "x"}
FILES_SITE: Final = "https://files.example"
BUCKETS: Final = (("s3://bucket/", "s3://atelier-emulator/"), ('"bucket": "bucket"', '"bucket": "atelier-emulator"'))
"""What the recording calls its bucket, and what the emulator does."""


class SdAwsReplay:
    """One deployment to which the exchanges of a recording are sent in order."""

    def __init__(self, site: EmulatorHarness, version: str, files_url: str) -> None:
        """Send to ``site``, which plays ``version``; ``files_url`` is the site of files that links lead to."""
        self.site = site
        self.version = version
        self.bindings = Bindings(fixed=dict(FIXED), rows=collect_rows(load_exchanges("sd_aws", version)))
        self._files_url = files_url
        self._uploads: dict[str, str] = {}
        self._started: set[str] = set()
        self.last_run: str = ""
        """The task of the job that was started last."""
        self.made: dict[str, list[str]] = {"endpoints": [], "trainings": [], "models": []}
        """The ids of what was made, oldest first."""

    async def play(self, exchange: Exchange) -> list[str]:
        """Send the request of an exchange, and tell where the answer differs."""
        self.site.clock.now += 1
        try:
            response = await self._send(exchange)
        except KeyError as err:  # an earlier answer did not have it
            return [f"cannot be sent: nothing stands for {err}"]
        self._note(exchange, response)
        return self._compare(exchange, response)

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """A call of the test's own, as the user ``api``; answers its JSON."""
        headers = {"x-api-key": DEMO_API_KEY, "username": "api", "Authorization": "Bearer 617069"}
        self.site.clock.now += 1
        response = await self.site.client.request(
            method, f"/sd_aws/prod{path}", json=body, params=query, headers=headers
        )
        assert response.status_code < 400, response.text
        return response.json() if response.content else None

    async def report(self, **report: Any) -> None:
        """Have the platform report something."""
        await self.site.call_control("POST", "/sd_aws/reports", report)

    async def set(self, **settings: Any) -> None:
        """Change settings of the emulator."""
        await self.site.call_control("PATCH", "/settings", settings)

    async def fail_next(self, reason: str) -> None:
        """Let what is started next fail."""
        await self.site.call_control("POST", "/faults", {"kind": "failed", "reason": reason})

    async def finish(self, task_id: str) -> None:
        """Let a job's time be over."""
        await self.site.finish_task(task_id)

    async def fail(self, task_id: str, reason: str) -> None:
        """Let a job fail."""
        await self.site.call_control("POST", f"/fail/{task_id}", {"reason": reason})

    def get_id(self, number: int) -> str:
        """What ``<id:number>`` stands for."""
        return self.bindings.values[f"id:{number}"]

    async def _send(self, exchange: Exchange) -> httpx2.Response:
        request = exchange.request
        path, body = str(request["path"]), request["body"]
        headers = dict(self.bindings.fill(request["headers"] or {}))
        if path.startswith("<signed link"):
            url = self._uploads[path] if request["method"] == "PUT" else self.bindings.values[path]
            content = self._encode(body)
            return await self.site.client.request(request["method"], url, content=content)
        url = f"/sd_aws/prod{self.bindings.fill(path)}"
        query = self.bindings.fill(request["query"] or {})
        return await self.site.client.request(
            request["method"], url, params=query, headers=headers, content=self._encode(body)
        )

    def _encode(self, body: Any) -> bytes | None:
        if body is None:
            return None
        if isinstance(body, str) and body.startswith("{..."):  # a file too long to be recorded, but for its end
            body = '{"prompt": "a lighthouse"' + body.removeprefix("{...").replace(" ", ", ", 1)
        text = body if isinstance(body, str) else json.dumps(body)
        filled = str(self.bindings.fill(text)) if isinstance(body, str) else json.dumps(self.bindings.fill(body))
        return filled.replace(FILES_SITE, self._files_url).replace(*BUCKETS[0]).encode()

    def _note(self, exchange: Exchange, response: httpx2.Response) -> None:
        """Remember what later steps of the platform are about."""
        path, method = str(exchange.request["path"]), exchange.request["method"]
        if response.status_code == 504 and path.endswith("/start"):
            self.last_run = self.bindings.fill(path).split("/")[2]
        document = read_object(_read_json(response))
        if method not in ("POST", "PUT"):
            return
        inner = read_object(document.get("data")) or document
        started = read_object(inner.get("inference"))
        if "output_path" in started:
            is_first = started["inference_id"] not in self._started
            self._started.add(started["inference_id"])
            run_id = str(started["output_path"]).rpartition("/")[2].removesuffix(".out")
            self.last_run = str(started["inference_id"]) if is_first else run_id
        family = {"train": "trainings", "train-api": "trainings", "model": "models"}.get(path.split("/")[1])
        made_here = self.made.get(family or path.split("/")[1])
        if made_here is not None:
            job = read_object(inner.get("job")) or inner
            made = job.get("EndpointDeploymentJobId") or job.get("id")
            made_here += [str(made)] if made and made not in made_here else []

    def _compare(self, exchange: Exchange, response: httpx2.Response) -> list[str]:
        recorded = exchange.response
        if response.status_code != recorded["status"]:
            return [f"status {response.status_code} for {recorded['status']}: {response.text[:300]}"]
        found = self._compare_headers(recorded["headers"] or {}, response)
        expected = recorded["body"]
        if isinstance(expected, str) and expected.startswith(("<png", "<jpeg", "<xml")):
            return [*found, *self._compare_file(expected, response)]
        actual = _read_json(response)
        if expected == "" and actual is None:
            return found
        text = json.dumps(actual).replace(self._files_url, FILES_SITE)
        for recorded_name, name in BUCKETS:
            text = text.replace(name, recorded_name)
        if exchange.by:  # what the gateway says is imitated: its keys bind, its words do not
            return [*found, *find_differences(_blur(expected), _blur(json.loads(text)), self.bindings)]
        found += find_differences(expected, json.loads(text), self.bindings)
        # A file's preview has the same placeholder as its upload, and comes after it.
        links = {key: url for key, url in self.bindings.values.items() if key.startswith("<signed")}
        self._uploads |= {
            k: v for k, v in links.items() if exchange.request["method"] == "POST" or k not in self._uploads
        }
        return found

    def _compare_headers(self, recorded: dict[str, str], response: httpx2.Response) -> list[str]:
        found: list[str] = []
        for name in ("x-api-version", "etag"):
            expected, actual = recorded.get(name), response.headers.get(name)
            # The bytes behind a recorded ETag are not known: it is bound for later, and otherwise may be any.
            fits = (expected is None) == (actual is None)
            fits = fits and (expected is None or self.bindings.match(expected, actual or "") or name == "etag")
            found += [] if fits else [f"header {name}: {actual!r} for {expected!r}"]
        return found

    def _compare_file(self, expected: str, response: httpx2.Response) -> list[str]:
        beginnings = {"<png picture>": b"\x89PNG", "<jpeg picture>": b"\xff\xd8\xff"}
        beginning = beginnings.get(expected, b"<?xml")
        return [] if response.content.startswith(beginning) else [f"{expected}: {response.content[:40]!r}"]


def _read_json(response: httpx2.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return response.text


def _blur(document: Any) -> Any:
    """A body of the gateway or the storage without the words of its message."""
    blurred = read_object(document)
    if "message" not in blurred:
        return document
    return {**blurred, **{name: "" for name in ("message", "requestId") if name in blurred}}


@asynccontextmanager
async def serve_files() -> AsyncGenerator[str]:
    """A site with model files: any name is there, ``gone`` answers 404, what lies under ``moved`` is elsewhere."""

    async def answer(request: Any) -> Any:
        path = request.path_params["path"]
        if path.startswith("gone"):
            return PlainTextResponse("", status_code=404)
        if path.startswith("moved/"):
            return RedirectResponse(f"/{path.removeprefix('moved/')}", status_code=307)
        return PlainTextResponse(f"file {path}")

    app = Starlette(routes=[Route("/{path:path}", answer)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
