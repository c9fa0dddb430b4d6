"""Calls and answers as the server packs them for a pipe: in its event loop, but in a thread where they are large."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.workers.messages import LENGTH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from atelier_mcp.server.workers.messages import WorkerCall, WorkerResponse

_MOST_BYTES_IN_LOOP: Final = 1_000_000
"""Copied in a fraction of a millisecond: going to a thread and back takes longer."""


async def pack_message(call: WorkerCall) -> bytes:
    """The call as it goes through the pipe, its length first."""
    if count_bytes(call) > _MOST_BYTES_IN_LOOP:
        return await asyncio.to_thread(_pack, call)
    return _pack(call)


async def unpack_message(message: bytes) -> WorkerResponse:
    """The answer in a message, without its length."""
    if len(message) > _MOST_BYTES_IN_LOOP:
        return await asyncio.to_thread(pickle.loads, message)
    return pickle.loads(message)  # noqa: S301  # the other end is our own process


def count_bytes(values: Iterable[Any]) -> int:
    """How many bytes there are among values and in the lists, tuples and dictionaries among them."""
    count = 0
    for value in values:
        if isinstance(value, bytes | bytearray):
            count += len(value)
        elif isinstance(value, list | tuple):
            count += count_bytes(cast("list[Any]", value))
        elif isinstance(value, dict):
            count += count_bytes(cast("Mapping[Any, Any]", value).values())
    return count


def _pack(call: WorkerCall) -> bytes:
    data = pickle.dumps(call, protocol=pickle.HIGHEST_PROTOCOL)
    return len(data).to_bytes(LENGTH_BYTES, "little") + data
