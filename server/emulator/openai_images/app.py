"""The images API's routes: who is let in, what a handler answers, and what is said on other paths."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakKeyDictionary

from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse
from starlette.routing import Route

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY, DEMO_API_KEY_ACCOUNT
from atelier_mcp.server.emulator.defects import log_defect
from atelier_mcp.server.emulator.openai_images import images, listing
from atelier_mcp.server.emulator.openai_images.auth import admit
from atelier_mcp.server.emulator.openai_images.calls import OpenaiImagesCall, OpenaiImagesLedger
from atelier_mcp.server.emulator.openai_images.errors import OpenaiImagesError, build_error_body
from atelier_mcp.server.emulator.openai_images.switches import OpenaiImagesSwitches
from atelier_mcp.server.emulator.upstreams import EmulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.openai_images.calls import Handler
    from atelier_mcp.server.emulator.state import EmulatorState


FAMILIES: Final = (images, listing)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
FORM: Final = "multipart/form-data"
TEXT_FIELDS: Final = frozenset({"model", "prompt", "size", "user", "safety_identifier"})
"""Of a form: they are what they are, whatever they look like."""
_LEDGERS: Final[WeakKeyDictionary[EmulatorState, OpenaiImagesLedger]] = WeakKeyDictionary()
"""By emulator: tests run several in one process."""


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """A route for each call; any other path is HTTP 404."""
    rows = [row for family in FAMILIES for row in family.build_rows()]
    return [
        *(Route(path, _build_endpoint(emulator, handler), methods=[method]) for method, path, handler in rows),
        Route("/{path:path}", _build_endpoint(emulator, _refuse_path), methods=list(METHODS)),
    ]


def build_control_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """Every accepted drawing with the id its caller gave it, so that none can be shown to be paid for twice."""

    async def list_drawings(_request: Request) -> Response:
        return JSONResponse({"drawings": [asdict(drawing) for drawing in get_ledger(emulator).drawings]})

    return [Route("/drawings", list_drawings, methods=["GET"])]


def build_client_settings(base_url: str) -> Mapping[str, str]:
    """What leads a client here."""
    return {"OPENAI_BASE_URL": f"{base_url}/v1", "OPENAI_API_KEY": DEMO_API_KEY}


UPSTREAM: Final = EmulatedUpstream(
    name="openai_images",
    mount="openai",
    contract="openai_images",
    build_routes=build_routes,
    build_error_body=build_error_body,
    switches=OpenaiImagesSwitches,
    accounts=(DEMO_API_KEY_ACCOUNT,),
    build_client_settings=build_client_settings,
    build_control_routes=build_control_routes,
)


def get_ledger(emulator: EmulatorState) -> OpenaiImagesLedger:
    """The drawings that this emulator has accepted."""
    return _LEDGERS.setdefault(emulator, OpenaiImagesLedger())


async def _refuse_path(call: OpenaiImagesCall) -> Response:
    raise OpenaiImagesError(404, f"Invalid URL ({call.request.method} {call.request.url.path})")


def _build_endpoint(emulator: EmulatorState, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The handler as a Starlette endpoint."""

    async def respond(request: Request) -> Response:
        try:
            account = admit(emulator, request)
            fields, files, is_form = await _read_body(request)
            switches = emulator.settings.get_switches(OpenaiImagesSwitches)
            ledger = get_ledger(emulator)
            response = await handler(
                OpenaiImagesCall(emulator, account, request, switches, ledger, fields, files, is_form)
            )
        except OpenaiImagesError as err:
            response = JSONResponse(err.body, err.status)
            if err.retry_after_s is not None:
                response.headers["Retry-After"] = str(math.ceil(err.retry_after_s))
        except Exception as err:  # noqa: BLE001  # the service answers its own defects in its own words
            log_defect(request.url.path, err)
            response = JSONResponse(build_error_body(500), 500)
        _add_headers(emulator, response)
        return response

    return respond


def _add_headers(emulator: EmulatorState, response: Response) -> None:
    """The usual ones (contract: conventions.response_headers)."""
    rate = emulator.settings.rate_per_s
    response.headers["x-request-id"] = f"req_{emulator.rng.getrandbits(96):024x}"
    response.headers["openai-processing-ms"] = "1"
    if rate is not None:
        response.headers["x-ratelimit-limit-requests"] = f"{rate:g}"
        response.headers["x-ratelimit-remaining-requests"] = "0" if response.status_code == 429 else f"{rate - 1:g}"
        response.headers["x-ratelimit-reset-requests"] = "1s"


async def _read_body(request: Request) -> tuple[Mapping[str, Any], Mapping[str, list[bytes]], bool]:
    """Fields and files of the body, and whether it is a form (contract: edits_json.reach)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "GET":
        return {}, {}, False
    if kind == FORM:
        return *await _read_form(request), True
    if kind != "application/json":
        raise OpenaiImagesError(400, f"Unsupported content type: '{kind}'.")
    try:
        document: Any = json.loads(await request.body())
    except ValueError:
        raise OpenaiImagesError(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(document, dict):
        raise OpenaiImagesError(400, "The body must be an object.")
    return cast("dict[str, Any]", document), {}, False


async def _read_form(request: Request) -> tuple[dict[str, Any], dict[str, list[bytes]]]:
    fields: dict[str, Any] = {}
    files: dict[str, list[bytes]] = {}
    async with request.form(max_part_size=60_000_000) as form:
        for name, value in form.multi_items():
            # ``image``, ``image[]``, ``image[0]`` and repeats of each (contract: edits.image_field).
            plain = name.partition("[")[0] if name.startswith("image[") else name
            if isinstance(value, UploadFile):
                files.setdefault(plain, []).append(await value.read())
            else:
                fields[plain] = value if plain in TEXT_FIELDS else _read_value(value)
    return fields, files


def _read_value(text: str) -> Any:
    """Form values are text: numbers in decimal, booleans true and false (contract: conventions.transport)."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int) else text
