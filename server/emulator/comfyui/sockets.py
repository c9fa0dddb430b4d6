"""The WebSocket: events while they happen (contract: websocket)."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING

from starlette.websockets import WebSocketDisconnect

from atelier_mcp.server.emulator.comfyui.auth import admit
from atelier_mcp.server.emulator.comfyui.errors import ComfyuiHttpError

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from atelier_mcp.server.emulator.comfyui.calls import ComfyuiState

REFUSED = 1008


async def serve_socket(state: ComfyuiState, socket: WebSocket) -> None:
    """Send a client what happens, until it leaves."""
    try:
        admit(state.emulator, socket)
    except ComfyuiHttpError:
        await socket.close(REFUSED)
        return
    await socket.accept()
    client_id = socket.query_params.get("clientId") or uuid.uuid4().hex
    with state.events.listen(client_id) as queue:
        status = {"status": state.queue.describe_status(), "sid": client_id}
        await socket.send_text(json.dumps({"type": "status", "data": status}))
        # Both end together: the client's leaving ends the sending.
        sending = asyncio.create_task(_send_all(socket, queue), name=f"socket of {client_id}")
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, KeyError):
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _send_all(socket: WebSocket, queue: asyncio.Queue[str | bytes]) -> None:
    while True:
        message = await queue.get()
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_text(message)
