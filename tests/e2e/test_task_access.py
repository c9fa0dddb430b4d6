"""Whose a task is: another's, a made-up one and one that a scope does not reach are not there."""

from __future__ import annotations

import base64
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.token_file import TokenFile
from tests.e2e.test_static_tokens import add_token
from tests.support.http_service import serve_http
from tests.support.task_client import open_http_caller
from tests.support.task_doors import caller

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.support.emulator_harness import FakeEngine
    from tests.support.task_client import TaskCaller

    Environ = dict[str, str]

__all__ = ["caller"]  # a fixture

KITE: dict[str, Any] = {"prompt": "a red kite", "seed": 7}
NOT_FOUND = {"code": -32602, "message": "There is no task of this id."}


@asynccontextmanager
async def serve_people(environ: Environ, **scopes: str) -> AsyncGenerator[list[TaskCaller]]:
    """A server, and for each name a client with a token of that scope."""
    token_file = TokenFile(load_settings(environ).home)
    tokens = [add_token(token_file, name, scope) for name, scope in scopes.items()]
    async with serve_http(environ) as address, AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_http_caller(address, token)) for token in tokens]


async def test_anothers_task_is_not_there(environ: Environ, engine: FakeEngine) -> None:
    """In the words for one that never was, by every method; and it goes on unharmed."""
    engine.answer_gate.clear()
    async with serve_people(environ, alice="create", bob="create", boss="admin") as (alice, bob, boss):
        task_id = await alice.start(**KITE)
        waiting_id = await alice.start("wait_for_jobs", job_ids=[task_id])
        for own_id in (task_id, waiting_id, "job_aaaaaaaaaaaaaaaa"):
            for method in ("tasks/get", "tasks/update", "tasks/cancel"):
                assert (await bob.ask(method, taskId=own_id, inputResponses={}))["error"] == NOT_FOUND
        assert (await boss.get(task_id))["status"] == "working"
        engine.answer_gate.set()
        assert (await alice.finish(waiting_id))["result"]["isError"] is False


async def test_a_token_that_may_only_look_cancels_no_task(environ: Environ, engine: FakeEngine) -> None:
    """As with the tool: asking is one thing, giving up another."""
    engine.answer_gate.clear()
    async with serve_people(environ, boss="admin", reader="read") as (boss, reader):
        task_id = await boss.start(**KITE)
        assert (await reader.ask("tasks/cancel", taskId=task_id))["error"]["code"] == 403
        assert (await reader.ask("tasks/get", taskId=task_id))["error"] == NOT_FOUND
        assert (await boss.get(task_id))["status"] == "working"
        engine.answer_gate.set()


def encode_wait(**document: Any) -> str:
    return "wait_" + base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "task_id",
    [
        "",
        "job_",
        "img_aaaaaaaaaaaaaaaa",
        "job_aaaaaaaaaaaaaaaa\x00",
        "x" * 100_000,
        "wait_",
        "wait_!!!!",
        "wait_" + base64.urlsafe_b64encode(b"[" * 2_000).decode(),
        encode_wait(jobs=["job_aaaaaaaaaaaaaaaa"], until="all", at=0),
        encode_wait(jobs="job_aaaaaaaaaaaaaaaa", until="all", at=0),
        encode_wait(jobs=[], until="all", at=0),
        encode_wait(jobs=[{"a": 1}, None], until="never", at=0),
        encode_wait(jobs=["a"], until="all", at=10**30),
        encode_wait(jobs=["a"], until="all", at="now"),
        encode_wait(jobs=["a"], until=["all"], at=0),
        encode_wait(until="all"),
    ],
)
async def test_an_id_that_somebody_made_up_is_not_there(caller: TaskCaller, task_id: str) -> None:
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        assert (await caller.ask(method, taskId=task_id))["error"] == NOT_FOUND


@pytest.mark.parametrize("params", [{}, {"taskId": 7}, {"taskId": None}])
async def test_a_request_without_an_id_is_refused(caller: TaskCaller, params: dict[str, Any]) -> None:
    assert (await caller.ask("tasks/get", **params))["error"]["code"] == -32602


@pytest.mark.parametrize("method", ["tasks/list", "tasks/result"])
async def test_methods_that_the_extension_does_not_have_are_not_there(caller: TaskCaller, method: str) -> None:
    assert (await caller.ask(method, taskId="job_aaaaaaaaaaaaaaaa"))["error"]["code"] == -32601
