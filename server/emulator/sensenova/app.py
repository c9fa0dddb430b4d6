"""SenseNova's routes: who is let in, what a handler answers, and what is said on other paths."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.routing import Route

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY, DEMO_API_KEY_ACCOUNT
from atelier_mcp.server.emulator.defects import log_defect
from atelier_mcp.server.emulator.sensenova import completions, fusion
from atelier_mcp.server.emulator.sensenova.auth import admit
from atelier_mcp.server.emulator.sensenova.calls import SensenovaCall
from atelier_mcp.server.emulator.sensenova.errors import SensenovaHttpError, build_error_body, invalid_parameter
from atelier_mcp.server.emulator.sensenova.responses import build_json_response
from atelier_mcp.server.emulator.sensenova.switches import SensenovaSwitches
from atelier_mcp.server.emulator.upstreams import EmulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.sensenova.calls import Handler
    from atelier_mcp.server.emulator.state import EmulatorState


FAMILIES: Final = (completions, fusion)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """A route for each path of each call; another method is HTTP 405, another path HTTP 404.

    A client takes 404 as a reason to try another path (chat_completions.path_order), so that a path that is served
    must not say it.
    """
    rows = [row for family in FAMILIES for row in family.build_rows()]
    paths = dict.fromkeys(path for _, path, _ in rows)
    # The first route that takes the method answers: the calls come before the refusals.
    return [
        *(Route(path, _build_endpoint(emulator, handler), methods=[method]) for method, path, handler in rows),
        *(Route(path, _build_endpoint(emulator, _refuse_method), methods=list(METHODS)) for path in paths),
        Route("/{path:path}", _build_endpoint(emulator, _refuse_path), methods=list(METHODS)),
    ]


def build_client_settings(base_url: str) -> Mapping[str, str]:
    """What leads a client here."""
    return {
        "SENSENOVA_FUSION_URL": base_url,
        "SENSENOVA_CHAT_URL": base_url,
        "SENSENOVA_API_KEY": DEMO_API_KEY,
    }


UPSTREAM: Final = EmulatedUpstream(
    name="sensenova",
    contract="sensenova_chat",
    build_routes=build_routes,
    build_error_body=build_error_body,
    switches=SensenovaSwitches,
    accounts=(DEMO_API_KEY_ACCOUNT,),
    build_client_settings=build_client_settings,
)


async def _refuse_method(call: SensenovaCall) -> Response:
    raise SensenovaHttpError(405, f"{call.request.method} is not a method of {call.request.url.path}")


async def _refuse_path(call: SensenovaCall) -> Response:
    raise SensenovaHttpError(404, f"{call.request.method} {call.request.url.path} does not exist")


def _build_endpoint(emulator: EmulatorState, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The handler as a Starlette endpoint."""

    async def respond(request: Request) -> Response:
        try:
            account = admit(emulator, request)
            return await handler(SensenovaCall(emulator, account, request, await _read_body(request)))
        except SensenovaHttpError as err:
            error = err
        except Exception as err:  # noqa: BLE001  # the service answers its own defects in its own words
            log_defect(request.url.path, err)
            error = SensenovaHttpError(500, "")
        headers = {} if error.retry_after_s is None else {"Retry-After": str(math.ceil(error.retry_after_s))}
        return build_json_response(build_error_body(error.status, str(error)), status=error.status, headers=headers)

    return respond


async def _read_body(request: Request) -> Mapping[str, Any]:
    data = await request.body()
    try:
        document: Any = json.loads(data or b"{}")
    except ValueError:
        raise invalid_parameter("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid_parameter("the body must be an object")
    return cast("dict[str, Any]", document)
