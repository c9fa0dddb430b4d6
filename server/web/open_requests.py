"""Requests that are being answered, by session: two with one id at once would leave the first without an answer.

The SDK keeps the streams of a session's answers by the ids of its requests, and a second request takes over the first
one's stream.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

RESERVED_IDS: Final = frozenset({"_GET_stream"})
"""What the SDK calls the stream of messages that answer nothing."""
PATIENCE_S: Final = 1.0
"""A client that numbers all its requests 1 sends the next one as soon as it has read an answer, before its end."""


class OpenRequests:
    """Knows which ids are in use."""

    def __init__(self) -> None:
        """None yet."""
        self._ended: dict[tuple[str, str], asyncio.Event] = {}

    @asynccontextmanager
    async def open(self, session_id: str, request_id: int | str) -> AsyncGenerator[bool]:
        """Hold an id for as long as its request is answered; gives whether it was free, or soon became so."""
        key = (session_id, str(request_id))  # to the SDK 1 and "1" are the same
        if key[1] in RESERVED_IDS or not await self._become_free(key):
            yield False
            return
        ended = self._ended[key] = asyncio.Event()
        try:
            yield True
        finally:
            del self._ended[key]
            ended.set()

    async def _become_free(self, key: tuple[str, str]) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                # Whoever waited for the same one may have been quicker.
                while (ended := self._ended.get(key)) is not None:
                    await ended.wait()
        except TimeoutError:
            return False
        return True
