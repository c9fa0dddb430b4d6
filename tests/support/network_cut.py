"""A wire between a client and a server that can be cut: nothing comes through, and nobody is told.

After a while the server's side hears of it, as PostgreSQL does by its keepalives; the client's side hears nothing
until the wire is mended, and then that its connections are gone.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PIECE_BYTES = 65_536


class NetworkCut:
    """Passes connections on to a port of loopback, until it is cut; ``open_network_cut`` makes one."""

    def __init__(self, server_port: int) -> None:
        self.port: int = 0
        self._server_port = server_port
        self._is_whole = asyncio.Event()
        self._is_whole.set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._servers: set[asyncio.StreamWriter] = set()

    @property
    def server_side_ports(self) -> set[int]:
        """The ports from which the server sees its connections come."""
        return {writer.get_extra_info("sockname")[1] for writer in self._servers if not writer.is_closing()}

    def cut(self) -> None:
        """Let nothing through any more; the server has noticed, and ends its sessions."""
        self._is_whole.clear()
        for server in self._servers:
            server.transport.abort()

    def mend(self) -> None:
        """Let everything through; what hung in the air is gone."""
        for client in self._clients:
            client.transport.abort()
        self._is_whole.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        self._clients.add(writer)
        # Cancelled when the loop ends, which nobody has to hear of.
        with suppress(OSError, asyncio.CancelledError):
            await self._is_whole.wait()
            answers, server = await asyncio.open_connection("127.0.0.1", self._server_port)
            self._servers.add(server)
            await asyncio.gather(self._pass_on(reader, server), self._pass_on(answers, writer))
            self._servers.discard(server)
        self._clients.discard(writer)
        writer.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Bytes, and in the end that there are no more; of what is cut off not even that."""
        with suppress(OSError):
            while piece := await source.read(PIECE_BYTES):
                await self._is_whole.wait()
                target.write(piece)
                await target.drain()
        await self._is_whole.wait()
        target.transport.abort()


@asynccontextmanager
async def open_network_cut(server_port: int) -> AsyncGenerator[NetworkCut]:
    """The wire, on a free port of loopback."""
    wire = NetworkCut(server_port)
    listener = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = listener.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        listener.close()
        wire.mend()
