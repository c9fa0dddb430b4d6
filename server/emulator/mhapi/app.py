"""MHAPI's routes: who is let in, what a handler answers, and what is said on paths and methods that are not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.responses import JSONResponse
from starlette.routing import Route

from atelier_mcp.server.emulator.accounts import DEMO_ACCESS_KEY, DEMO_KEY_PAIR_ACCOUNT, DEMO_SECRET_KEY
from atelier_mcp.server.emulator.defects import log_defect
from atelier_mcp.server.emulator.mhapi import (
    erase,
    face,
    imgenstd,
    inpaint,
    lora,
    outpaint,
    split,
    stylization,
    sup_res,
)
from atelier_mcp.server.emulator.mhapi.auth import admit, authenticate
from atelier_mcp.server.emulator.mhapi.calls import MhapiCall, build_service_id
from atelier_mcp.server.emulator.mhapi.errors import (
    INTERNAL,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    MhapiHttpError,
    build_error_body,
    build_error_response,
    invalid_parameter,
)
from atelier_mcp.server.emulator.mhapi.switches import MhapiSwitches
from atelier_mcp.server.emulator.trainer import Trainer
from atelier_mcp.server.emulator.upstreams import EmulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.mhapi.calls import Handler
    from atelier_mcp.server.emulator.state import EmulatorState


FAMILIES: Final = (imgenstd, face, erase, outpaint, stylization, inpaint, sup_res, split, lora)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """A route for each call; other methods on its path are code 12, other paths code 5."""
    emulator.tasks.set_renderer(build_service_id(lora.NAME), Trainer(emulator).train)
    rows = [row for family in FAMILIES for row in family.build_rows()]
    paths = dict.fromkeys(path for _, path, _ in rows)
    # The first route that takes the method answers: the calls come before the refusals.
    return [
        *(Route(path, _build_endpoint(emulator, handler), methods=[method]) for method, path, handler in rows),
        *(Route(path, _build_endpoint(emulator, _build_refusal(path)), methods=list(METHODS)) for path in paths),
        Route("/{path:path}", _build_endpoint(emulator, _refuse_path), methods=list(METHODS)),
    ]


def build_client_settings(base_url: str) -> Mapping[str, str]:
    """What leads a client here."""
    return {
        "MHAPI_BASE_URL": base_url,
        "MHAPI_ACCESS_KEY": DEMO_ACCESS_KEY,
        "MHAPI_SECRET_KEY": DEMO_SECRET_KEY,
    }


def find_signer(emulator: EmulatorState, token: str) -> Account | None:
    """The account that has signed a token, which SenseNova's newer clients send, too; None for a bad one."""
    now, switches = emulator.clock.read_wall_clock(), emulator.settings.get_switches(MhapiSwitches)
    try:
        return authenticate(f"Bearer {token}", emulator.accounts, now=now, switches=switches)
    except MhapiHttpError:
        return None


UPSTREAM: Final = EmulatedUpstream(
    name="mhapi",
    contract="mhapi",
    build_routes=build_routes,
    build_error_body=build_error_body,
    switches=MhapiSwitches,
    accounts=(DEMO_KEY_PAIR_ACCOUNT,),
    build_client_settings=build_client_settings,
)


def _build_refusal(path: str) -> Handler:
    """The handler of methods that no call on a path has: HTTP 501 with code 12 (lora.train.path_example)."""

    async def refuse(call: MhapiCall) -> Any:
        raise MhapiHttpError(NOT_IMPLEMENTED, f"{call.request.method} is not a method of {path}")

    return refuse


async def _refuse_path(call: MhapiCall) -> Any:
    """HTTP 404 with code 5 (face.no_batch)."""
    raise MhapiHttpError(NOT_FOUND, f"{call.request.url.path} does not exist")


def _build_endpoint(emulator: EmulatorState, handler: Handler) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            # Also for paths that do not exist: without a token nobody learns which ones do.
            account = admit(emulator, request)
            return JSONResponse(await handler(MhapiCall(emulator, account, request, await _read_body(request))))
        except MhapiHttpError as err:
            error = err
        except Exception as err:  # noqa: BLE001  # the service answers its own defects in its own words
            log_defect(request.url.path, err)
            error = MhapiHttpError(INTERNAL)
        always_200 = emulator.settings.get_switches(MhapiSwitches).always_200
        return build_error_response(error, rng=emulator.rng, always_200=always_200)

    return endpoint


async def _read_body(request: Request) -> Mapping[str, Any]:
    """The JSON object of the body, whatever the header calls it (shared.content_type_get)."""
    data = await request.body()
    # A GET may carry a body here, and mostly does not (contract: shared.results_get_body).
    if not data:
        return {}
    try:
        document = json.loads(data)
    except ValueError:
        raise invalid_parameter("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid_parameter("the body must be an object")
    return cast("dict[str, Any]", document)
