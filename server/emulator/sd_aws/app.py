"""The middleware's routes: the gateway in front, the choice of a generation, and what a handler answers.

Some paths exist in both generations; who sends a ``username`` is served the later one, unless only one is deployed.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY, DEMO_API_KEY_ACCOUNT
from atelier_mcp.server.emulator.sd_aws import (
    checkpoints,
    connection,
    datasets,
    endpoints,
    inferences,
    training_bases,
    trainings,
    uploads,
    users,
)
from atelier_mcp.server.emulator.sd_aws.auth import BUILT_IN_USER, check_rate, find_account, read_user
from atelier_mcp.server.emulator.sd_aws.calls import Generation, SdAwsApiResponse, SdAwsCall, build_service_id
from atelier_mcp.server.emulator.sd_aws.errors import (
    FORBIDDEN,
    UNAUTHORIZED,
    SdAwsHttpError,
    build_error_body,
    build_legacy_body,
    is_bare,
)
from atelier_mcp.server.emulator.sd_aws.object_store import ObjectStore
from atelier_mcp.server.emulator.sd_aws.switches import SdAwsSwitches
from atelier_mcp.server.emulator.upstreams import EmulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from atelier_mcp.server.emulator.sd_aws.calls import Handler
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

logger: logging.Logger = logging.getLogger(__name__)

Handlers: TypeAlias = "dict[tuple[str, Generation], Handler]"
"""The handlers of one path, by method and generation."""
FAMILIES: Final = (
    inferences,
    trainings,
    checkpoints,
    training_bases,
    datasets,
    connection,
    users,
    uploads,
    endpoints,
)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def build_routes(emulator: EmulatorState) -> list[BaseRoute]:
    """All calls, with and without the stage (list_datasets.prod_prefix), and the storage behind the signed links."""
    objects = ObjectStore(emulator)
    for kind in ("endpoint", "base"):
        emulator.tasks.set_renderer(build_service_id(kind), _do_nothing)
    emulator.tasks.set_renderer(build_service_id("training"), trainings.build_learner(emulator, objects))
    router = SdAwsRouter(emulator, objects)
    return [*objects.build_routes(), Mount("/prod", routes=router.build_routes()), *router.build_routes()]


def build_client_settings(base_url: str) -> Mapping[str, str]:
    """What leads a client here."""
    return {"SD_AWS_URL": f"{base_url}/prod", "SD_AWS_API_KEY": DEMO_API_KEY}


UPSTREAM: Final = EmulatedUpstream(
    name="sd_aws",
    contract="sd_aws",
    build_routes=build_routes,
    build_error_body=build_error_body,
    switches=SdAwsSwitches,
    accounts=(DEMO_API_KEY_ACCOUNT,),
    build_client_settings=build_client_settings,
)


class SdAwsRouter:
    """Sends a request to the handler of its path, its method and the generation its caller speaks."""

    def __init__(self, emulator: EmulatorState, objects: ObjectStore) -> None:
        """Answer out of ``emulator``; files go to ``objects``."""
        self._emulator, self._objects = emulator, objects
        self._handlers: dict[str, Handlers] = {}
        for family in FAMILIES:
            for generation, method, path, handler in family.build_rows():
                self._handlers.setdefault(path, {})[method, generation] = handler

    def build_routes(self) -> list[Route]:
        """One route per path, literal ones first; whatever else is asked is forbidden, as the gateway has it."""
        paths = sorted(self._handlers, key=lambda path: (path.count("{"), path))
        known_routes = [
            Route(path, self._build_endpoint(self._handlers[path]), methods=list(METHODS)) for path in paths
        ]
        return [*known_routes, Route("/{path:path}", self._build_endpoint({}), methods=list(METHODS))]

    def _build_endpoint(self, handlers: Handlers) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            account = find_account(self._emulator, request)
            selection = self._choose_handler(handlers, request)
            if account is None or selection is None:
                return JSONResponse(FORBIDDEN, status_code=403)
            if (refusal := check_rate(self._emulator, request, account)) is not None:
                return refusal
            handler, generation = selection
            user = read_user(request)
            # Nobody need say who they are to learn that this is the later generation.
            if generation == "2024" and user is None and not request.url.path.endswith(("/ping", "/prod/")):
                return JSONResponse(UNAUTHORIZED, status_code=401)
            return await self._run_handler(request, handler, generation, account.access_key, user or BUILT_IN_USER)

        return endpoint

    def _choose_handler(self, handlers: Handlers, request: Request) -> tuple[Handler, Generation] | None:
        """The handler in the generation the caller speaks; in the other one where only that has it."""
        deployed_generation = self._emulator.settings.get_switches(SdAwsSwitches).generation
        preferred: Generation = "2024" if "username" in request.headers else "2023"
        candidates: tuple[Generation, ...] = (
            (deployed_generation,)
            if deployed_generation != "both"
            else (preferred, "2024" if preferred == "2023" else "2023")
        )
        if deployed_generation == "both" and request.url.path.endswith("/ping"):
            candidates = (preferred,)  # or every caller would take us for the later generation
        for generation in candidates:
            if (handler := handlers.get((request.method, generation))) is not None:
                return handler, generation
        return None

    async def _run_handler(
        self, request: Request, handler: Handler, generation: Generation, account: str, user: str
    ) -> Response:
        try:
            body = await _read_body(request)
            call = SdAwsCall(self._emulator, self._objects, request, account, user, generation, body)
            result = await handler(call)
        except SdAwsHttpError as err:
            return self._build_error_response(request.url.path, err, generation)
        except Exception:  # the service answers its own defects in its own words
            logger.exception("a call failed", extra={"path": request.url.path})
            return self._build_error_response(request.url.path, SdAwsHttpError(500, "internal error"), generation)
        if isinstance(result, SdAwsApiResponse):
            return result.to_response(request.url.path)
        return JSONResponse(result)

    def _build_error_response(self, path: str, error: SdAwsHttpError, generation: Generation) -> Response:
        """An error in the words of a generation; the HTTP status of most of those of 2023 is 200.

        (contract: inference_v2.status_in_body)
        """
        if generation == "2024":
            text = error.message if isinstance(error.message, str) else "; ".join(error.message)
            return SdAwsApiResponse(status=error.status, message=text).to_response(path)
        has_status = is_bare(path) or self._emulator.settings.get_switches(SdAwsSwitches).mirror_status
        return JSONResponse(build_legacy_body(error, path), status_code=error.status if has_status else 200)


async def _do_nothing(_task: TaskRecord, _arguments: dict[str, Any]) -> dict[str, Any]:
    """What takes time and leaves nothing behind: a deployment."""
    return {}


async def _read_body(request: Request) -> Mapping[str, Any]:
    data = await request.body()
    if not data:
        return {}
    try:
        document = json.loads(data)
    except ValueError:
        raise SdAwsHttpError(400, "the body is not JSON") from None
    if not isinstance(document, dict):
        raise SdAwsHttpError(400, "the body must be an object")
    return cast("dict[str, Any]", document)
