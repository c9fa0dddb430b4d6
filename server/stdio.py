"""MCP over this process's stdin and stdout.

In place of the SDK's own transport, for what that leaves unanswered or unfinished: lines that are no message, texts
that no encoding has, ``initialize`` behind a ``server/discover``, a client that closes its end, and Ctrl-C, which must
not wait for the next line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import anyio
import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic_core import PydanticSerializationError

from atelier_mcp.server.message_lines import Refusal, read_line, replace_surrogates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    WriteLine = Callable[[str], Awaitable[None]]
    RunSession = Callable[
        [MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]],
        Coroutine[Any, Any, None],
    ]

_CHUNK_BYTES: Final = 1 << 16
_MAX_LINES_AHEAD: Final = 16
_MAX_ANSWER_S: Final = 5.0
_MAX_LAST_ANSWER_S: Final = 10.0
"""When the server stops: a submit under way may take as long."""


async def serve_stdio(run_session: RunSession, *, stop_event: asyncio.Event | None = None) -> None:
    """Serve until stdin ends or nobody reads stdout any more. ``run_session`` serves one session over two streams.

    After ``stop_event`` no line is read, and what was asked before is answered first, for a few seconds.
    """
    with _take_std_descriptors() as (stdin_fd, stdout_fd):

        async def write_line(line: str) -> None:
            data = line.encode("utf-8", "replace") + b"\n"
            await anyio.to_thread.run_sync(_write_all, stdout_fd, data, abandon_on_cancel=True)

        await serve_streams(run_session, _read_lines(stdin_fd), write_line, stop_event=stop_event)


async def serve_streams(
    run_session: RunSession,
    lines: AsyncIterator[bytes],
    write_line: WriteLine,
    *,
    stop_event: asyncio.Event | None = None,
) -> None:
    """Serve whoever sends ``lines`` until they end, or until ``write_line`` reports that nobody reads any more.

    ``stop_event`` ends them early, as for ``serve_stdio``.
    """
    stop = stop_event or asyncio.Event()
    known_lines = _end_at(stop, lines)
    opening: SessionMessage | None = None
    with contextlib.suppress(_ClientGone):
        while True:
            opening = await _Session(write_line, stop).run(run_session, known_lines, opening)
            if opening is None:
                return


class _ClientGone(Exception):
    """Nobody reads the answers any more."""


@contextlib.contextmanager
def _take_std_descriptors() -> Generator[tuple[int, int]]:
    """Descriptors 0 and 1 for the protocol alone: meanwhile others read nothing, and print to stderr."""
    stdin_fd, stdout_fd = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # started without a stderr
        os.dup2(nothing, 1)
    os.close(nothing)
    try:
        yield stdin_fd, stdout_fd
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()  # while it still goes to stderr
        os.dup2(stdin_fd, 0)
        os.dup2(stdout_fd, 1)


async def _read_lines(fd: int) -> AsyncIterator[bytes]:
    """The lines of a descriptor, read by a thread that the end of the process need not wait for."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(_MAX_LINES_AHEAD)

    def put(line: bytes | None) -> None:
        asyncio.run_coroutine_threadsafe(queue.put(line), loop).result()

    def read() -> None:
        with contextlib.suppress(RuntimeError, asyncio.CancelledError):  # the loop is closed: nobody asks any more
            parts: list[bytes] = []
            while chunk := _read_chunk(fd):
                *ends, rest = chunk.split(b"\n")
                for end in ends:
                    put(b"".join([*parts, end]))
                    parts.clear()
                parts.append(rest)
            put(b"".join(parts))
            put(None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line


def _read_chunk(fd: int) -> bytes:
    try:
        return os.read(fd, _CHUNK_BYTES)
    except OSError:  # the terminal is gone
        return b""


async def _end_at(stop: asyncio.Event, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines that come before the stop; one that is being read then is given up."""
    stopping = asyncio.ensure_future(stop.wait())
    try:
        while True:
            reading = asyncio.ensure_future(anext(lines, None))
            try:
                await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
                line = reading.result() if reading.done() else None
            finally:
                reading.cancel()
            if line is None:
                return
            yield line
    finally:
        stopping.cancel()


class _Session:
    """One session of the protocol; ``initialize`` behind a ``server/discover`` begins another."""

    def __init__(self, write_line: WriteLine, stop: asyncio.Event) -> None:
        self._write_line = write_line
        self._stop = stop
        self._write_lock = anyio.Lock()
        self._methods: set[str] = set()
        """Of the requests so far."""
        self._unanswered: set[types.RequestId] = set()
        self._answer_sent = anyio.Event()

    async def run(
        self, run_session: RunSession, lines: AsyncIterator[bytes], opening: SessionMessage | None
    ) -> SessionMessage | None:
        """Serve the session; returns the message that opens the next one, if there is one."""
        incoming_send, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, outgoing_receive = anyio.create_memory_object_stream[SessionMessage](0)
        next_opening: SessionMessage | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write_messages, outgoing_receive)
                tasks.start_soon(run_session, incoming, outgoing)
                async with incoming_send:
                    if opening is not None:
                        await self._forward(opening, incoming_send)
                    next_opening = await self._forward_lines(lines, incoming_send)
        except* (_ClientGone, anyio.BrokenResourceError):
            raise _ClientGone from None
        return next_opening

    async def _forward_lines(
        self, lines: AsyncIterator[bytes], incoming: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> SessionMessage | None:
        async for line in lines:
            for item in read_line(line):
                if isinstance(item, Refusal):
                    await self._write(item.to_json())
                elif self._begins_another(item):
                    await self._wait_for_answers()
                    return SessionMessage(item)
                else:
                    await self._forward(SessionMessage(item), incoming)
        if self._stop.is_set():  # else the client has gone, and nobody waits for an answer
            await self._wait_for_answers(at_most_s=_MAX_LAST_ANSWER_S)
        return None

    async def _forward(
        self, message: SessionMessage, incoming: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        if isinstance(message.message, types.JSONRPCRequest):
            self._methods.add(message.message.method)
            self._unanswered.add(message.message.id)
        await incoming.send(message)

    def _begins_another(self, message: types.JSONRPCMessage) -> bool:
        """Some clients ask which revisions there are, and then open a session of an older one all the same."""
        is_initialize = isinstance(message, types.JSONRPCRequest) and message.method == "initialize"
        return is_initialize and self._methods == {"server/discover"}

    async def _wait_for_answers(self, *, at_most_s: float = _MAX_ANSWER_S) -> None:
        with anyio.move_on_after(at_most_s):
            while self._unanswered:
                await self._answer_sent.wait()

    async def _write_messages(self, messages: MemoryObjectReceiveStream[SessionMessage]) -> None:
        async with messages:
            async for message in messages:
                await self._write(_to_json(message.message))
                if isinstance(message.message, types.JSONRPCResponse | types.JSONRPCError):
                    self._unanswered.discard(message.message.id or 0)
                    self._answer_sent.set()
                    self._answer_sent = anyio.Event()

    async def _write(self, line: str) -> None:
        async with self._write_lock:
            await self._write_line(line)


def _to_json(message: types.JSONRPCMessage) -> str:
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True)
    except PydanticSerializationError:  # half a surrogate pair: a file's name may hold one
        document: Any = message.model_dump(by_alias=True, exclude_unset=True)
        return json.dumps(replace_surrogates(document), ensure_ascii=False)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError as err:
        raise _ClientGone from err
