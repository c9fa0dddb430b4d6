"""ComfyUI's routes, each also below ``/api``, and its part of the control API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY_ACCOUNT
from atelier_mcp.server.emulator.comfyui import catalogue, files, jobs, prompts
from atelier_mcp.server.emulator.comfyui.auth import admit
from atelier_mcp.server.emulator.comfyui.calls import ComfyuiCall, get_state
from atelier_mcp.server.emulator.comfyui.errors import ComfyuiHttpError, build_error_body
from atelier_mcp.server.emulator.comfyui.sockets import serve_socket
from atelier_mcp.server.emulator.comfyui.switches import ComfyuiSwitches
from atelier_mcp.server.emulator.control import build_control_endpoint
from atelier_mcp.server.emulator.defects import log_defect
from atelier_mcp.server.emulator.upstreams import EmulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

    from atelier_mcp.server.emulator.comfyui.calls import ComfyuiHandler, ComfyuiState
    from atelier_mcp.server.emulator.state import EmulatorState


FAMILIES: Final = (prompts, files, catalogue, jobs)
API_PREFIX: Final = "/api"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """All calls, the socket, and 404 for any other path (contract: conventions.prefix)."""
    state = get_state(emulator)
    emulator.add_background(state.queue.run)
    rows = [row for family in FAMILIES for row in family.build_rows()]

    async def connect(socket: WebSocket) -> None:
        await serve_socket(state, socket)

    return [
        *(
            Route(path, _build_endpoint(state, handler), methods=[method])
            for method, plain_path, handler in rows
            for path in dict.fromkeys((plain_path, f"{API_PREFIX}{plain_path.removeprefix(API_PREFIX)}"))
        ),
        WebSocketRoute("/ws", connect),
        WebSocketRoute(f"{API_PREFIX}/ws", connect),
        Route("/{path:path}", _build_endpoint(state, _refuse_path), methods=list(METHODS)),
    ]


def build_control_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """``POST /_control/comfyui/restart``: queue and history are lost, files stay."""

    async def restart(_: Request) -> Any:
        get_state(emulator).queue.restart()
        return {}

    return [Route("/restart", build_control_endpoint(restart), methods=["POST"])]


def build_client_settings(base_url: str) -> Mapping[str, str]:
    """What leads a client here."""
    return {"COMFYUI_URL": base_url}


UPSTREAM: Final = EmulatedUpstream(
    name="comfyui",
    contract="comfyui",
    build_routes=build_routes,
    build_error_body=build_error_body,
    switches=ComfyuiSwitches,
    accounts=(DEMO_API_KEY_ACCOUNT,),
    build_client_settings=build_client_settings,
    build_control_routes=build_control_routes,
)


async def _refuse_path(_: ComfyuiCall) -> Response:
    raise ComfyuiHttpError(404, build_error_body(404))


def _build_endpoint(state: ComfyuiState, handler: ComfyuiHandler) -> Callable[[Request], Awaitable[Response]]:
    """The handler as a Starlette endpoint."""

    async def respond(request: Request) -> Response:
        try:
            admit(state.emulator, request)
            return await handler(ComfyuiCall(state, request, await _read_body(request)))
        except ComfyuiHttpError as err:
            return JSONResponse(err.body, status_code=err.status)
        except Exception as err:  # noqa: BLE001  # the service answers its own defects, too
            log_defect(request.url.path, err)
            return JSONResponse(build_error_body(500), status_code=500)

    return respond


async def _read_body(request: Request) -> Mapping[str, Any]:
    """The JSON object of a call, empty where there is none; a form is the handler's to read."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        return {}
    data = await request.body()
    try:
        document: Any = json.loads(data or b"{}")
    except ValueError:
        raise ComfyuiHttpError(400, build_error_body(400)) from None
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}
