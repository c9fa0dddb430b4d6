"""A WebUI's routes: who is let in, what a handler answers, and what is said of a fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from atelier_mcp.server.emulator.defects import log_defect
from atelier_mcp.server.emulator.sd_webui import (
    controlnet,
    extensions,
    extras,
    generations,
    images,
    lists,
    options,
    progress,
)
from atelier_mcp.server.emulator.sd_webui.auth import WEBUI_ACCOUNT, admit
from atelier_mcp.server.emulator.sd_webui.calls import WebuiCall, WebuiServer
from atelier_mcp.server.emulator.sd_webui.errors import (
    WebuiFault,
    WebuiHttpError,
    build_error_body,
    build_fault_body,
    build_http_error_body,
    build_route_error,
)
from atelier_mcp.server.emulator.sd_webui.switches import SdWebuiSwitches
from atelier_mcp.server.emulator.upstreams import EmulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.sd_webui.calls import Handler
    from atelier_mcp.server.emulator.state import EmulatorState


FAMILIES: Final = (generations, extras, progress, images, options, lists, controlnet, extensions)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
CPP_PATHS: Final = frozenset(
    {"/v1/models"}
    | {
        f"/sdapi/v1/{name}"
        for name in (
            "txt2img", "img2img", "loras", "upscalers", "latent-upscale-modes", "samplers", "schedulers", "sd-models",
            "options",
        )
    }
)  # fmt: skip
"""All that stable-diffusion.cpp serves (variants)."""


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """A route for each call; any other path says that there is nothing."""
    server = WebuiServer()
    rows = [row for family in FAMILIES for row in family.build_rows()]
    return [
        *(
            Route(path, _build_endpoint(emulator, server, handler, path), methods=[method])
            for method, path, handler in rows
        ),
        Route("/{path:path}", _build_endpoint(emulator, server, _refuse_path, ""), methods=list(METHODS)),
    ]


def build_client_settings(base_url: str) -> Mapping[str, str]:
    """What leads a client here."""
    return {"SD_WEBUI_URL": base_url}


UPSTREAM: Final = EmulatedUpstream(
    name="sd_webui",
    contract="sd_webui",
    build_routes=build_routes,
    build_error_body=build_error_body,
    switches=SdWebuiSwitches,
    accounts=(WEBUI_ACCOUNT,),
    build_client_settings=build_client_settings,
)


async def _refuse_path(_call: WebuiCall) -> Any:
    raise build_route_error()


def _build_endpoint(
    emulator: EmulatorState, server: WebuiServer, handler: Handler, path: str
) -> Callable[[Request], Awaitable[Response]]:
    """The handler as a Starlette endpoint."""

    async def respond(request: Request) -> Response:
        switches = emulator.settings.get_switches(SdWebuiSwitches)
        try:
            admit(request, path or "/sdapi/", switches)
            if switches.variant == "sdcpp" and path not in CPP_PATHS:
                raise build_route_error()
            answer = await handler(WebuiCall(emulator, server, switches, request, await _read_body(request)))
        except WebuiHttpError as err:
            headers = {"WWW-Authenticate": "Basic"} if err.status == 401 and switches.variant == "forge" else {}
            return JSONResponse(build_http_error_body(err, switches.variant), err.status, headers)
        except WebuiFault as err:
            return JSONResponse(build_fault_body(err, switches.variant), 500)
        except Exception as err:  # noqa: BLE001  # the service answers its own defects in its own words
            log_defect(path, err)
            return JSONResponse(build_fault_body(WebuiFault(type(err).__name__, str(err)), switches.variant), 500)
        if answer is None and switches.variant == "sdnext":
            return Response(status_code=204)
        return JSONResponse(answer)

    return respond


async def _read_body(request: Request) -> Mapping[str, Any]:
    data = await request.body()
    try:
        document: Any = json.loads(data or b"{}")
    except ValueError:
        raise WebuiHttpError(
            422, [{"loc": ["body", 0], "msg": "Expecting value", "type": "value_error.jsondecode"}]
        ) from None
    if not isinstance(document, dict):
        raise WebuiHttpError(422, [{"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}])
    return cast("dict[str, Any]", document)
