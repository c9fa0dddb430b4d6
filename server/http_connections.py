"""How many HTTP connections there may be, and how long a request may take to arrive.

uvicorn waits for ever for the rest of a request that has begun, and takes connections until there are no descriptors
left; then nobody is served. Here a request has a time to arrive in. Where the connections run out, the one that has
been waiting longest for its request makes room for the next, so that whoever sends whole requests is served however
many others send half of one. A connection whose request is being answered is never cut off for that.

Between two requests a connection is kept longer than balancers keep theirs: one that closes first would now and then
close just as the next request comes, and a call that may have been paid for cannot be sent again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

log: logging.Logger = logging.getLogger(__name__)

HEADER_TIMEOUT_S: Final = 10.0
"""From the first byte, or the connection, to the end of the header."""
BODY_TIMEOUT_S: Final = 120.0
"""From there to the end of the body: a picture of 50 MB over 4 Mbit/s."""
KEEP_ALIVE_S: Final = 75
"""From an answer to the first byte of the next request; balancers keep idle connections for up to a minute."""
MAX_CONNECTIONS: Final = 1000
BACKLOG: Final = 32
"""How many connections are taken at once: each has a descriptor before anything here hears of it."""
SPARE_DESCRIPTORS: Final = 64 + 2 * BACKLOG
"""For the ledger, the pictures, the upstreams, and connections that are being taken or closed."""


class BoundedConnection(H11Protocol):
    """One connection, as uvicorn has it, with its place among the others."""

    limit: int = MAX_CONNECTIONS
    """Of connections at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, in the place of another where there are too many."""
        self._arrival_timer: asyncio.TimerHandle | None = None
        self._waits_for: tuple[int, str] | None = None
        self.waiting_since_s: float = 0.0
        super().connection_made(transport)
        self._watch_arrival()
        if len(self.connections) > self.limit:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Read on; the time that the request has is not extended by a part of it."""
        super().data_received(data)
        self._watch_arrival()

    def on_response_complete(self) -> None:
        """Wait for the next request, which has a time of its own."""
        super().on_response_complete()
        self._watch_arrival()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up the timer with the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def close_unfinished(self) -> None:
        """Cut the connection off, whatever was sent of its request."""
        self._stop_timer()
        self.transport.abort()

    @property
    def is_waiting(self) -> bool:
        """Whether its request, or the next one, has not arrived as a whole."""
        return self._waits_for is not None and not self.transport.is_closing()

    def _watch_arrival(self) -> None:
        waits_for = self._find_missing()
        if waits_for == self._waits_for:
            return
        self._stop_timer()
        self._waits_for, self.waiting_since_s = waits_for, self.loop.time()
        if waits_for is not None:
            timeout_s = {"request": KEEP_ALIVE_S, "header": HEADER_TIMEOUT_S, "body": BODY_TIMEOUT_S}[waits_for[1]]
            close = self.transport.close if waits_for[1] == "request" else self.close_unfinished
            self._arrival_timer = self.loop.call_later(timeout_s, close)

    def _find_missing(self) -> tuple[int, str] | None:
        """What is missing of which request; None while an answer is on its way."""
        if self.cycle is None:  # pyright: ignore[reportUnnecessaryComparison]  # before the first request
            return id(None), "header"
        if self.cycle.response_complete:
            has_begun = self.conn.their_state is not h11.IDLE or bool(self.conn.trailing_data[0])
            return id(self.cycle), "header" if has_begun else "request"
        return (id(self.cycle), "body") if self.cycle.more_body else None

    def _stop_timer(self) -> None:
        if self._arrival_timer is not None:
            self._arrival_timer.cancel()
            self._arrival_timer = None

    def _make_room(self) -> None:
        log.warning("too many connections: those that wait for a request are closed, oldest first")
        others = (one for one in self.connections if isinstance(one, BoundedConnection) and one is not self)
        waiting = [one for one in others if one.is_waiting]
        (min(waiting, key=lambda one: one.waiting_since_s) if waiting else self).close_unfinished()


def create_connection_class() -> type[asyncio.Protocol]:
    """Connections as many as this process has descriptors for, and ``MAX_CONNECTIONS`` at most."""
    return type("LimitedConnection", (BoundedConnection,), {"limit": _compute_limit()})


def _compute_limit() -> int:
    try:
        import resource
    except ImportError:  # Windows, where connections are no descriptors
        return MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(8, min(wanted, soft) - SPARE_DESCRIPTORS)
