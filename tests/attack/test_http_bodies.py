"""Bodies of requests: many large ones at once, and messages that are none."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest

from tests.support.http_process import HEADERS, HELLO, serve_in_process

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tests.support.attack_tally import AttackTally

pytestmark = pytest.mark.skipif(os.name == "nt", reason="descriptor limits of POSIX")

BODY_BYTES: Final = 60_000_000
MOST_MEMORY_BYTES: Final = 1_600_000_000
"""Three bodies are let in, each held some times over, and the server itself."""
PART: Final = b"A" * 1_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, int]]:
    with serve_in_process(tmp_path_factory.mktemp("http")) as running:
        yield running


async def send_large_call(address: str, number: int, *, gate: asyncio.Barrier, session_id: str) -> tuple[int, bytes]:
    """Status and body of the answer to a call with a picture of ``BODY_BYTES``; its end is sent behind the barrier."""
    host, _, port = address.removeprefix("http://").partition(":")
    arguments = {"name": "import_image", "arguments": {"image": "data:image/png;base64,"}}
    text = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": arguments}).encode()
    beginning, end = text[:-4], b'"}}}'
    assert text.endswith(end)
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Accept: {HEADERS['Accept']}\r\nMcp-Session-Id: {session_id}\r\n"
        f"Content-Length: {BODY_BYTES + len(text)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head.encode() + beginning)
    for _ in range(BODY_BYTES // len(PART)):
        writer.write(PART)
        await writer.drain()
    await gate.wait()
    writer.write(end)
    async with asyncio.timeout(120):
        header, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(header.split(b" ", 2)[1] or 0), header + body


def open_session(address: str) -> str:
    """The id of a session of the older protocol."""
    opened = httpx2.post(f"{address}/mcp", json=HELLO, headers=HEADERS, timeout=30, trust_env=False)
    return opened.headers["mcp-session-id"]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as Linux tells it")
async def test_many_large_bodies_at_once_take_a_bounded_memory(
    server: tuple[str, int], tally: AttackTally, rounds: Callable[[int, int], int]
) -> None:
    """Each is allowed; those beyond what is let in at once are told to come again, and nobody else notices."""
    address, process_id = server
    session_id = await asyncio.to_thread(open_session, address)
    count = rounds(5, 30)
    gate = asyncio.Barrier(count)
    answers = await asyncio.gather(
        *(send_large_call(address, 10 + n, gate=gate, session_id=session_id) for n in range(count))
    )
    for status, answer in answers:
        is_sound = status == 200 or (status == 503 and b"retry-after" in answer.lower() and b'"error"' in answer)
        tally.record(f"{status} {answer[:200]!r}", got_through=not is_sound)
    statuses = [status for status, _ in answers]
    assert 200 in statuses
    assert 503 in statuses
    peak = read_peak(process_id)
    tally.record(f"{peak / 1e6:.0f} MB", got_through=peak > MOST_MEMORY_BYTES)
    tally.figures |= {"let in": str(statuses.count(200)), "most memory": f"{peak / 1e6:.0f} MB"}
    status, _ = await send_large_call(address, 9, gate=asyncio.Barrier(1), session_id=session_id)
    assert status == 200, "what was held is given back"


def read_peak(process_id: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{process_id}/status").read_text("ascii")
    return 1024 * int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])


def is_one_sentence(text: str) -> bool:
    """Whether a person wrote it: names of classes and lines of a validator are none of the client's business."""
    return "\n" not in text and "JSONRPC" not in text and len(text) < 120


async def post(client: httpx2.AsyncClient, message: dict[str, Any]) -> str:
    """The text of the answer to a message."""
    response = await client.post("/mcp", json={"jsonrpc": "2.0", **message})
    return response.text


async def test_of_two_requests_with_one_id_both_are_answered(server: tuple[str, int], tally: AttackTally) -> None:
    """The SDK would write both answers to the stream of the second, and the first would hang."""
    address, _ = server
    slow = {"method": "tools/call", "params": {"name": "generate_image", "arguments": {"prompt": "a", "wait_s": 4}}}
    for first, second in ((5, 5), (6, "6"), ("seven", "seven")):
        headers = HEADERS | {"Mcp-Session-Id": await asyncio.to_thread(open_session, address)}
        async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=30, trust_env=False) as client:
            answers = await asyncio.gather(
                post(client, {"id": first, **slow}), post(client, {"id": second, "method": "tools/list"})
            )
            answered = sum('"result"' in answer or "has that id" in answer for answer in answers)
            tally.record(f"{first!r}, {second!r}: {answers}", got_through=answered != len(answers))
            # Afterwards the id is free again, for a client that never counts.
            for _ in range(5):
                answer = await post(client, {"id": first, "method": "tools/list"})
                tally.record(answer[:200], got_through='"result"' not in answer)
            answer = await post(client, {"id": "_GET_stream", "method": "tools/list"})
            tally.record(answer[:200], got_through='"error"' not in answer)


ODD_IDS: Final[tuple[Any, ...]] = (1.5, True, False, None, [], {}, [1], {"a": 1}, 1e300)
ODD_PARAMS: Final[tuple[Any, ...]] = ([1], "x", 1, True)
ODD_METHODS: Final[tuple[Any, ...]] = (1, None, [], {})

NO_MESSAGES: Final = (
    b"{", b"x", b"[" * 100_000, b'{"a":' * 9000, b"\x00", b"[]", b"1", b"null", b'"x"', b"{}", b"", b" ",
    b"true", b"NaN",
    b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"2.0","method":1}',
    b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', b'{"jsonrpc":"2.0","id":3,"result":1}', b'{"id":1,"method":"ping"}',
    b'{"jsonrpc":"2.0","method":"nothing","params":[1]}',
)  # fmt: skip


@pytest.mark.parametrize("has_session", [True, False])
def test_a_message_with_an_odd_id_is_answered(has_session: bool, server: tuple[str, int], tally: AttackTally) -> None:
    """Whoever sends an id waits for an answer; a bare 202 is none."""
    address, _ = server
    messages: list[dict[str, Any]] = [{"id": one, "method": "tools/list"} for one in ODD_IDS]
    messages += [{"id": 5, "method": "tools/list", "params": one} for one in ODD_PARAMS]
    messages += [{"id": 6, "method": one} for one in ODD_METHODS]
    messages += [{"id": 7, "method": "tools/list", "params": []}, {"id": 8, "method": "tools/list", "params": None}]
    headers = HEADERS | ({"Mcp-Session-Id": open_session(address)} if has_session else {})
    with httpx2.Client(base_url=address, headers=headers, timeout=30, trust_env=False) as client:
        for message in messages:
            response = client.post("/mcp", json={"jsonrpc": "2.0", **message})
            is_answered = '"error"' in response.text or '"result"' in response.text
            tally.record(f"{message}: {response.status_code} {response.text[:200]}", got_through=not is_answered)
        for media_type in ("text/plain", "", "application/jsonp", "multipart/form-data"):
            response = client.post("/mcp", content=b'{"id":1}', headers={"content-type": media_type})
            is_answered = response.status_code == 400 and is_one_sentence(response.json()["error"]["message"])
            tally.record(f"{media_type}: {response.status_code} {response.text}", got_through=not is_answered)
        for content in NO_MESSAGES:
            response = client.post("/mcp", content=content, headers={"content-type": "application/json"})
            is_answered = response.status_code == 400 and is_one_sentence(response.json()["error"]["message"])
            tally.record(f"{content[:20]!r}: {response.status_code} {response.text[:200]}", got_through=not is_answered)
