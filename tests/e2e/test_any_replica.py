"""Whatever a client asks next may be asked of any replica: nothing hangs on the one that it first came to."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context  # noqa: TC002  # the SDK reads it from the prompt's signature
from mcp.shared.exceptions import MCPError

from atelier_mcp.server.app import create_server
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.app import create_web_app
from atelier_mcp.server.web.token_file import TokenFile
from tests.e2e.test_static_tokens import add_token
from tests.support.http_process import HEADERS
from tests.support.http_service import build_modern_call, serve_http
from tests.support.round_robin import RoundRobinTransport
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from mcp.server.mcpserver import MCPServer

    from atelier_mcp.server.settings import Settings
    from tests.support.emulator_harness import FakeEngine
    from tests.support.postgres import PostgresServer

    Environ = dict[str, str]

KEYS = ("k7Xw2Pq9Lm4Rt6Vb8Nz1Hc3Jd5Fg0Sa+", "Zy8Xv6Wu4Ts2Rq0Po9Nm7Lk5Ji3Hg1F=")
TOKEN = "Jd5Fg0SaZy8Xv6Wu4Ts2"
PROTOCOLS = ("auto", "legacy")


@pytest.fixture
def shared(environ: Environ, postgres: PostgresServer) -> Environ:
    """What all replicas are given alike."""
    return {**environ, "ATELIER_DATABASE_URL": postgres.create_ledger_url(), "ATELIER_SIGNING_KEYS": KEYS[0]}


@asynccontextmanager
async def connect_to_all(
    environs: Sequence[Environ], *, mode: str, token: str = "", **options: Any
) -> AsyncGenerator[tuple[Client, RoundRobinTransport]]:
    """A client of replicas with these settings, whose every request goes to the next of them."""
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(serve_http(environ)) for environ in environs]
        headers = {"authorization": f"Bearer {token}"} if token else {}
        transport = RoundRobinTransport(addresses)
        http_client = await stack.enter_async_context(
            httpx2.AsyncClient(transport=transport, headers=headers, timeout=60)
        )
        connection = streamable_http_client(f"{addresses[0]}/mcp", http_client=http_client)
        client = await stack.enter_async_context(Client(connection, mode=cast("Any", mode), **options))
        yield client, transport


@pytest.mark.parametrize("mode", PROTOCOLS)
async def test_a_client_is_served_by_whichever_replica_it_comes_to(shared: Environ, mode: str) -> None:
    """Also one of the older protocol, which elsewhere has a session."""
    async with connect_to_all([shared, shared, shared], mode=mode) as (client, transport):
        made = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite"}))
        for _ in range(3):
            listed = get_structured(await client.call_tool("list_jobs", {}))
            assert [job["job_id"] for job in listed["jobs"]] == [made["job_id"]]
    assert min(transport.counts.values()) > 0


async def test_a_job_that_one_replica_was_asked_for_is_waited_for_at_another(
    shared: Environ, engine: FakeEngine
) -> None:
    engine.answer_gate.clear()
    async with connect_to_all([shared, shared], mode="auto") as (client, _):
        started = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 0}))
        engine.answer_gate.set()
        waited = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [started["job_id"]]}))
    assert [job["state"] for job in waited["jobs"]] == ["succeeded"]


@pytest.fixture
def _asking_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server has a prompt that asks the person something before it goes on."""

    def create_asking_server(settings: Settings, **options: Any) -> MCPServer[Any]:
        server = create_server(settings, **options)

        @server.prompt()
        async def ask_first(context: Context) -> types.InputRequiredResult | str:
            """Ask, then go on."""
            if context.input_responses:
                return f"went on with {context.request_state}"
            schema: dict[str, Any] = {"type": "object", "properties": {}}
            question = types.ElicitRequestFormParams(message="May it go on?", requested_schema=schema)
            return types.InputRequiredResult(
                input_requests={"go": types.ElicitRequest(params=question)}, request_state="what was meant"
            )

        return server

    monkeypatch.setattr("atelier_mcp.server.web.app.create_server", create_asking_server)


async def ask_in_between(*environs: Environ) -> str:
    """What comes of the prompt that asks, while every request goes to the next replica."""
    async with connect_to_all(environs, mode="auto", elicitation_callback=agree) as (client, _):
        try:
            return (await client.get_prompt("ask_first")).model_dump_json()
        except MCPError as error:
            return str(error)


async def agree(_context: object, _question: object) -> types.ElicitResult:
    """The person at the client."""
    return types.ElicitResult(action="accept", content={})


@pytest.mark.usefixtures("_asking_prompt")
async def test_a_question_of_one_replica_is_answered_at_another(shared: Environ) -> None:
    assert "went on with what was meant" in await ask_in_between(shared, shared)


@pytest.mark.usefixtures("_asking_prompt")
async def test_a_question_survives_the_exchange_of_keys(shared: Environ) -> None:
    """One replica signs with the new key already, the other with the old one still."""
    old_first, new_first = ({**shared, "ATELIER_SIGNING_KEYS": ",".join(keys)} for keys in (KEYS, KEYS[::-1]))
    assert "went on with what was meant" in await ask_in_between(old_first, new_first)
    assert "went on with what was meant" in await ask_in_between(new_first, old_first)


@pytest.mark.usefixtures("_asking_prompt")
async def test_what_a_client_carries_is_of_no_use_with_other_keys(shared: Environ) -> None:
    answer = await ask_in_between(shared, {**shared, "ATELIER_SIGNING_KEYS": KEYS[1]})
    assert "Invalid or expired requestState" in answer


@pytest.mark.usefixtures("_asking_prompt")
async def test_what_a_client_carries_is_of_no_use_to_another_one(shared: Environ) -> None:
    """Whoever was asked has to answer."""
    token_file = TokenFile(load_settings(shared).home)
    tokens = [add_token(token_file, name, "create") for name in ("alice", "bob")]
    async with serve_http(shared) as address, httpx2.AsyncClient(base_url=address, timeout=60) as sender:
        first = await get_asking_prompt(sender, tokens[0])
        carried: dict[str, Any] = {
            "requestState": first["result"]["requestState"],
            "inputResponses": {"go": {"action": "accept", "content": {}}},
        }
        own, others = [await get_asking_prompt(sender, token, **carried) for token in tokens]
    assert "went on with what was meant" in str(own["result"])
    assert others["error"]["message"] == "Invalid or expired requestState"


async def get_asking_prompt(sender: httpx2.AsyncClient, token: str, **params: Any) -> dict[str, Any]:
    """One request of the newest protocol, and the document that answers it."""
    body, headers = build_modern_call("ask_first")
    body |= {"method": "prompts/get", "params": {**body["params"], **params}}
    body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {"form": {}}}
    headers |= {**HEADERS, "mcp-method": "prompts/get", "authorization": f"Bearer {token}"}
    response = await sender.post("/mcp", json=body, headers=headers)
    lines = [line.removeprefix("data:") for line in response.text.splitlines() if line.startswith("data:")]
    return json.loads(lines[-1] if lines else response.text)


async def test_replicas_without_keys_in_common_say_so(
    environ: Environ, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Their links and questions would open at one of them and fail at the others."""
    settings = load_settings({**environ, "ATELIER_DATABASE_URL": postgres.create_ledger_url()})
    create_web_app(settings, host="127.0.0.1")
    assert "ATELIER_SIGNING_KEYS is not set" in caplog.text


async def test_a_picture_link_of_one_replica_opens_at_another(shared: Environ) -> None:
    shared = {**shared, "ATELIER_HTTP_TOKEN": TOKEN}
    async with connect_to_all([shared, shared], mode="auto", token=TOKEN) as (client, transport):
        made = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite"}))
        link = httpx2.URL(made["images"][0]["link"])
        async with httpx2.AsyncClient() as reader:
            statuses = [
                (await reader.get(link.copy_with(host=url.host, port=url.port))).status_code
                for url in map(httpx2.URL, transport.counts)
            ]
    assert statuses == [200, 200]


class SlowClock(SystemClock):
    """That of a machine nobody has set; services take signatures that are wrong by so much."""

    def now(self) -> datetime:
        return super().now() - timedelta(minutes=3)


async def test_a_job_carries_the_databases_time_whatever_the_machines_clock_says(
    shared: Environ, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the replicas would not agree on the day of a budget, or on a deadline."""
    monkeypatch.setattr("atelier_mcp.server.app.SystemClock", SlowClock)
    async with connect_to_all([shared], mode="auto") as (client, _):
        await client.call_tool("generate_image", {"prompt": "a red kite"})
    schema = shared["ATELIER_DATABASE_URL"].rpartition("%3D")[2]
    ((created_at, updated_at, deadline),) = postgres.execute(
        f"SELECT created_at, updated_at, deadline FROM {schema}.jobs"
    )
    now = datetime.now(UTC)
    assert abs(created_at - now) < timedelta(minutes=1)
    assert abs(updated_at - now) < timedelta(minutes=1)
    assert deadline > now
