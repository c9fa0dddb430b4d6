"""Who listens, by client id: events of a job go to the client that sent it, and to nobody later."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator


class EventHub:
    """The sockets of one server. Nothing is replayed (contract: websocket.scope)."""

    def __init__(self) -> None:
        """Nobody listens."""
        self._queues: dict[str, asyncio.Queue[str | bytes]] = {}

    @contextmanager
    def listen(self, client_id: str) -> Generator[asyncio.Queue[str | bytes]]:
        """What is sent to a client while the context lasts; a second socket of the same id takes over."""
        queue: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._queues[client_id] = queue
        try:
            yield queue
        finally:
            if self._queues.get(client_id) is queue:
                del self._queues[client_id]

    def send(self, kind: str, data: dict[str, Any], client_id: str | None = None) -> None:
        """Tell one client, or all."""
        message = json.dumps({"type": kind, "data": data})
        for known_id, queue in self._queues.items():
            if client_id in (None, known_id):
                queue.put_nowait(message)

    def send_bytes(self, data: bytes, client_id: str) -> None:
        """Send a client a binary message, a preview for one (contract: websocket.binary)."""
        if (queue := self._queues.get(client_id)) is not None:
            queue.put_nowait(data)
