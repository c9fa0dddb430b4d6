"""No line that a client can send leaves it without an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.app import create_server
from atelier_mcp.server.message_lines import find_id, replace_escaped_surrogates
from atelier_mcp.server.settings import load_settings
from tests.support.raw_session import RawSession, open_raw_session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602


@pytest.fixture
async def session(tmp_path: Path) -> AsyncGenerator[RawSession]:
    """A session that is open; no service is needed."""
    settings = load_settings({"ATELIER_HOME": str(tmp_path / "home")})
    async with open_raw_session(create_server(settings)) as raw_session:
        await raw_session.initialize("2025-11-25")
        yield raw_session


def build_line(**fields: Any) -> str:
    """A request, with other fields."""
    return json.dumps({"jsonrpc": "2.0", "id": 5, "method": "ping", **fields})


@pytest.mark.parametrize(
    ("line", "message_id", "code"),
    [
        ("no JSON at all", None, PARSE_ERROR),
        ('{"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"na', 5, PARSE_ERROR),
        ('{"method": "ping", "params": {"id": 4, "x": ["id"]}, "id": "a\\"b", ', 'a"b', PARSE_ERROR),
        (build_line()[:-1] + ', "params": {"n": ' + "9" * 5000 + "}}", 5, PARSE_ERROR),
        ("[" * 100_000, None, PARSE_ERROR),
        (b'{"id": 5, "method": "pi\xff', 5, PARSE_ERROR),
        ("17", None, INVALID_REQUEST),
        ("[]", None, INVALID_REQUEST),
        (build_line(id=1.5), 1.5, INVALID_REQUEST),
        (build_line(id=True), True, INVALID_REQUEST),
        (build_line(id=None), None, INVALID_REQUEST),
        (build_line(id=["a"]), ["a"], INVALID_REQUEST),
        (build_line(jsonrpc="1.0"), 5, INVALID_REQUEST),
        (build_line(method=7), 5, INVALID_REQUEST),
        ('{"jsonrpc": "2.0", "id": 5}', 5, INVALID_REQUEST),
        (build_line(params=[1]), 5, INVALID_PARAMS),
        (build_line(params="x"), 5, INVALID_PARAMS),
        (build_line(method="tools/call", params={"name": "list_jobs", "arguments": []}), 5, INVALID_PARAMS),
        (build_line(method="tools/call", params={"name": "list_jobs", "_meta": 3}), 5, INVALID_PARAMS),
    ],
)
async def test_what_is_no_message_is_answered_with_why(
    session: RawSession, line: str | bytes, message_id: Any, code: int
) -> None:
    """With the id it came with, wherever that can be found; and the session goes on."""
    session.send(line)
    answer = await session.receive()
    assert (answer["id"], answer["error"]["code"]) == (message_id, code)
    assert await session.request("ping") == {}


@pytest.mark.parametrize("params", [[], None, {}])
async def test_no_parameters_are_no_parameters_however_they_are_written(session: RawSession, params: Any) -> None:
    session.send(build_line(params=params))
    assert (await session.receive())["result"] == {}


@pytest.mark.parametrize("message_id", [0, -7, 2**70, "", "é", "x" * 10_000])
async def test_an_odd_id_comes_back_as_it_was(session: RawSession, message_id: Any) -> None:
    session.send(build_line(id=message_id))
    assert (await session.receive())["id"] == message_id


@pytest.mark.parametrize("text", ["a kite \\ud83d", "\\ude00 a kite", "\\ud83d\\ud83d\\ude00", "kite \\ud83d\\u0041"])
async def test_half_of_a_surrogate_pair_is_replaced(session: RawSession, text: str) -> None:
    """Models break off in the middle of an emoji; no encoding has one half of it."""
    line = build_line(method="tools/call", params={"name": "list_jobs", "arguments": {"limit": "TEXT"}})
    session.send(line.replace("TEXT", text))
    (block,) = (await session.receive())["result"]["content"]
    assert "\ufffd" in block["text"]


@pytest.mark.parametrize(
    ("body", "mended"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\n\ude00x"', rb'"\n\ufffdx"'),
    ],
)
def test_a_body_keeps_its_length_when_it_is_mended(body: bytes, mended: bytes) -> None:
    """Which was told before it."""
    assert replace_escaped_surrogates(body) == mended


async def test_each_message_of_a_batch_is_answered(session: RawSession) -> None:
    """Some revisions have batches."""
    session.send(f"[{build_line(id=1)}, 3, {build_line(id=2)}]")
    answers = [await session.receive() for _ in range(3)]
    assert sorted(str(answer["id"]) for answer in answers) == ["1", "2", "None"]


async def test_blank_lines_are_nothing(session: RawSession) -> None:
    for line in ("", "  ", "\r"):
        session.send(line)
    session.send("\ufeff" + build_line())
    assert (await session.receive())["result"] == {}


@pytest.mark.parametrize(
    ("text", "message_id"),
    [
        ("{'jsonrpc': '2.0', 'id': 905, 'method': 'ping'}", 905),
        ("{jsonrpc: '2.0', id: 906, method: 'ping'}", 906),
        ('{"params":{"id":1},"id":2', 2),
        ('{"a":"\\"id\\":3","id":4', 4),
        ('{"id":1.5', None),
        ('{"id":', None),
        ('{"id":"\\ud83d"', "\ufffd"),
        ('["id",5', None),
    ],
)
def test_the_id_of_a_broken_line_is_found_on_its_outermost_level(text: str, message_id: Any) -> None:
    assert find_id(text) == message_id
