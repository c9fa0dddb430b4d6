"""Miaohua's routes below ``/api/v1b``: who is let in, what a handler answers, and what is said on other paths.

SenseNova, which draws for the account of a Miaohua token, gets from here what it needs of that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse
from starlette.routing import Route

from atelier_mcp.server.emulator.accounts import DEMO_EMAIL, DEMO_EMAIL_ACCOUNT, DEMO_PASSWORD
from atelier_mcp.server.emulator.defects import log_defect
from atelier_mcp.server.emulator.miaohua import (
    controls,
    datasets,
    describe,
    forms,
    models,
    task_results,
    task_submit,
    tokens,
    trainings,
    uploads,
)
from atelier_mcp.server.emulator.miaohua.auth import TokenIssuer
from atelier_mcp.server.emulator.miaohua.calls import MiaohuaCall, MiaohuaState
from atelier_mcp.server.emulator.miaohua.errors import (
    INTERNAL,
    MiaohuaHttpError,
    build_error_body,
    build_refusal_body,
    invalid_parameter,
)
from atelier_mcp.server.emulator.miaohua.parameters import ParameterReader, read_document
from atelier_mcp.server.emulator.miaohua.switches import MiaohuaSwitches
from atelier_mcp.server.emulator.trainer import Trainer
from atelier_mcp.server.emulator.upstreams import EmulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.miaohua.calls import Handler, MiaohuaApiResponse, OpenHandler
    from atelier_mcp.server.emulator.state import EmulatorState

    Endpoint = Callable[[Request], Awaitable[JSONResponse]]

__all__ = ["MODEL_NAMES", "UPSTREAM", "MiaohuaHttpError", "authenticate_token"]


PREFIX: Final = "/api/v1b"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
OPEN_FAMILIES: Final = (tokens, forms, uploads)
FAMILIES: Final = (task_submit, task_results, describe, models, controls, datasets, trainings)
MODEL_NAMES: Final = frozenset({*(model.model_name for model in models.BASES), *models.OTHER_NAMES})
"""The display names of the base models, also those that are not listed."""


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """A route for each call, and one for everything else."""
    emulator.tasks.set_renderer(models.TRAININGS, Trainer(emulator).train)
    state = MiaohuaState(emulator)
    open_rows = [row for family in OPEN_FAMILIES for row in family.build_open_rows()]
    rows = [row for family in FAMILIES for row in family.build_rows()]
    endpoints = [
        *((method, path, _build_endpoint(state, handler)) for method, path, handler in open_rows),
        *((method, path, _build_endpoint(state, _admit(handler, names))) for method, path, handler, names in rows),
    ]
    refuse = _build_refusal({path for _, path, _ in endpoints})
    return [
        *(Route(f"{PREFIX}{path}", endpoint, methods=[method]) for method, path, endpoint in endpoints),
        Route("/{path:path}", _build_endpoint(state, refuse), methods=list(METHODS)),
    ]


def build_client_settings(base_url: str) -> Mapping[str, str]:
    """What leads a client here."""
    return {
        "MIAOHUA_BASE_URL": f"{base_url}{PREFIX}",
        "MIAOHUA_EMAIL": DEMO_EMAIL,
        "MIAOHUA_PASSWORD": DEMO_PASSWORD,
    }


async def authenticate_token(emulator: EmulatorState, token: str) -> Account:
    """The account of a token; raises MiaohuaHttpError for a bad one."""
    return await asyncio.to_thread(TokenIssuer(emulator).check, token)


UPSTREAM: Final = EmulatedUpstream(
    name="miaohua",
    contract="miaohua_v1b",
    build_routes=build_routes,
    build_error_body=build_error_body,
    switches=MiaohuaSwitches,
    accounts=(DEMO_EMAIL_ACCOUNT,),
    build_client_settings=build_client_settings,
)


def _admit(handler: Handler, known_names: Collection[str]) -> OpenHandler:
    """A handler that wants a token; ``known_names`` are its parameters beside that, for the strict switch."""

    async def handle(state: MiaohuaState, request: Request) -> MiaohuaApiResponse:
        # The body before the token, which stands in it.
        document = await read_document(request)
        account = await state.tokens.admit(request, str(document.get("token") or ""))
        # The token belongs to every call and is no parameter of any.
        values = {name: value for name, value in document.items() if name != "token"}
        unknown = sorted(values.keys() - set(known_names))
        if unknown and state.emulator.settings.get_switches(MiaohuaSwitches).strict_names:
            raise invalid_parameter(f"unknown parameter {unknown[0]}")
        return await handler(MiaohuaCall(state, account, request, ParameterReader(values)))

    return handle


def _build_refusal(paths: Collection[str]) -> OpenHandler:
    """The handler of other methods on the ``paths`` below the prefix, and of all other paths; it wants no token."""

    async def refuse(_: MiaohuaState, request: Request) -> MiaohuaApiResponse:
        path = f"/{request.path_params['path']}"
        # A path that exists says 405, which tells older and newer services apart.
        if path.removeprefix(PREFIX) in paths:
            raise MiaohuaHttpError(405, status=405)
        raise MiaohuaHttpError(404, f"{path} does not exist", status=404)

    return refuse


def _build_endpoint(state: MiaohuaState, handler: OpenHandler) -> Endpoint:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            response = await handler(state, request)
            return JSONResponse(response.to_document(state.emulator.settings.get_switches(MiaohuaSwitches).envelope))
        except MiaohuaHttpError as err:
            error = err
        except Exception as err:  # noqa: BLE001  # the service answers its own defects in its own words
            log_defect(request.url.path, err)
            error = MiaohuaHttpError(INTERNAL, status=500)
        old_codes = state.emulator.settings.get_switches(MiaohuaSwitches).old_codes
        return JSONResponse(build_refusal_body(error, old_codes=old_codes), status_code=error.status)

    return endpoint
