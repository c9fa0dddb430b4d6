"""One call of the middleware from the route to the response, in the words of either of its generations.

That of 2023 answers bare values or ``statusCode`` in an HTTP 200, the later one an envelope whose status is the HTTP
status (contract: conventions.envelope, appendix_generation_2.envelope). Some paths exist in both; who sends a
``username`` is served the later one, unless the settings hold only one.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.links import get_origin
from atelier_mcp.server.emulator.sd_aws.record_store import RecordStore
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.settings import SdAwsSwitches
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.tasks import TaskView

logger = logging.getLogger(__name__)

Generation: TypeAlias = Literal["2023", "2024"]
Handler: TypeAlias = "Callable[[SdAwsCall], Awaitable[Any]]"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
BUILT_IN_USER: Final = "api"
FORBIDDEN: Final = {"message": "Forbidden"}
UNAUTHORIZED: Final = {"message": "Unauthorized"}


class SdAwsHttpError(Exception):
    """A call that is answered with an error; ``key`` is where the generation of 2023 puts the text."""

    def __init__(self, status: int, message: str | list[Any], *, key: str = "error") -> None:
        """Hold status and text."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.key = key


@dataclass(frozen=True, slots=True)
class SdAwsApiResponse:
    """A good answer of the later generation."""

    data: Any = None
    status: int = 200
    message: str = "OK"


@dataclass(frozen=True, slots=True)
class SdAwsCall:
    """A call that was let in. ``body`` is its JSON document, empty when it has none."""

    emulator: EmulatorState
    request: Request
    account: str
    user: str
    generation: Generation
    body: Mapping[str, Any]

    @property
    def switches(self) -> SdAwsSwitches:
        """The readings of the contract in force."""
        return self.emulator.settings.sd_aws

    @property
    def records(self) -> RecordStore:
        """What the account keeps."""
        return RecordStore(self.emulator, self.account)

    @property
    def origin(self) -> str:
        """Scheme and host the caller reached us by."""
        return get_origin(self.request)

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.emulator.clock.now()

    def create_id(self) -> str:
        """A fresh id in the form the service uses."""
        digits = f"{self.emulator.rng.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def read_text(self, name: str, default: str = "") -> str:
        """A text of the body; raises Refused for something else."""
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise SdAwsHttpError(400, f"{name} must be a string")
        return value

    def read_objects(self, name: str) -> list[dict[str, Any]]:
        """A list of objects of the body; raises Refused for something else."""
        value = self.body.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in cast("list[Any]", value)):
            raise SdAwsHttpError(400, f"{name} must be an array of objects")
        return cast("list[dict[str, Any]]", value)

    def read_texts(self, name: str, *, least: int = 0, most: int = 1000) -> list[str]:
        """A list of texts of the body; raises Refused for something else."""
        value = self.body.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
            raise SdAwsHttpError(400, f"{name} must be an array of strings")
        if not least <= len(cast("list[str]", value)) <= most:
            raise SdAwsHttpError(400, f"{name} must have from {least} to {most} entries")
        return cast("list[str]", value)

    def read_query_list(self, name: str) -> list[str]:
        """A query parameter that may be repeated, have [] behind its name, or hold commas (list_models.array_query)."""
        query = self.request.query_params
        values = [*query.getlist(name), *query.getlist(f"{name}[]")]
        return [part for value in values for part in value.split(",") if part]

    def require(self, *names: str) -> None:
        """Refuse a body without one of these."""
        missing = [name for name in names if name not in self.body]
        if missing and self.generation == "2024":
            raise SdAwsHttpError(400, f"object has missing required properties ({json.dumps(missing)})")
        if missing:
            raise SdAwsHttpError(500, f"missing key: {', '.join(missing)}")

    async def start_task(
        self, kind: str, task_id: str, engine_task: EngineTask | None = None, *, seconds: float | None = None
    ) -> str:
        """Let something take its time, without an engine task nothing but time; ``phase`` tells how far it is."""
        task = await self.emulator.tasks.accept(
            build_service_id(kind),
            self.account,
            engine_task or EngineTask("", {}),
            verdict=get_verdict(self.request),
            lasting=kind != "inference",
            seconds=seconds,
            task_id=task_id,
        )
        return task.task_id

    async def find_view(self, kind: str, task_id: str) -> TaskView | None:
        """How far something is."""
        return await self.emulator.tasks.find(build_service_id(kind), task_id, self.account)

    async def get_phase(self, kind: str, task_id: str) -> tuple[Phase, str]:
        """How far something is, and why it failed."""
        view = await self.find_view(kind, task_id)
        if view is None:
            return Phase.FAILED, "its files are gone"
        return view.phase, view.outcome.failed if view.outcome else ""


def build_service_id(kind: str) -> str:
    """The id space of one kind of thing that takes time: ``sd_aws.endpoint``."""
    return f"sd_aws.{kind}"


def format_time(moment: float) -> str:
    """A time as the service prints it (conventions.times)."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


class SdAwsRouter:
    """Collects handlers by path, method and generation, and turns them into routes."""

    def __init__(self, emulator: EmulatorState) -> None:
        """Answer out of ``emulator``."""
        self._emulator = emulator
        self._handlers: dict[str, dict[tuple[str, Generation], Handler]] = {}

    def add_legacy_route(self, method: str, path: str, handler: Handler) -> None:
        """A call of the generation of 2023."""
        self._handlers.setdefault(path, {})[method, "2023"] = handler

    def add_restful_route(self, method: str, path: str, handler: Handler) -> None:
        """A call of the later generation."""
        self._handlers.setdefault(path, {})[method, "2024"] = handler

    def build_routes(self) -> list[Route]:
        """One route per path, literal ones first; whatever else is asked is forbidden, as the gateway has it."""
        paths = sorted(self._handlers, key=lambda path: (path.count("{"), path))
        known_routes = [
            Route(path, self._build_endpoint(self._handlers[path]), methods=list(METHODS)) for path in paths
        ]
        return [*known_routes, Route("/{path:path}", self._build_endpoint({}), methods=list(METHODS))]

    def _build_endpoint(
        self, handlers: Mapping[tuple[str, Generation], Handler]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            account = self._emulator.accounts.find_by_secret(request.headers.get("x-api-key", ""))
            selection = self._choose_handler(handlers, request)
            if account is None or selection is None:
                return JSONResponse(FORBIDDEN, status_code=403)
            setattr(request.state, ACCOUNT, account.access_key)
            rate = self._emulator.settings.rate_per_s
            if self._emulator.accounts.count_call(account, now=self._emulator.clock.now(), rate_per_s=rate) is not None:
                return JSONResponse({"message": "Too Many Requests"}, status_code=429)
            handler, generation = selection
            user = _read_user(request)
            if generation == "2024" and user is None and not request.url.path.endswith(("/ping", "/prod/")):
                return JSONResponse(UNAUTHORIZED, status_code=401)
            return await self._run_handler(request, handler, generation, account.access_key, user or BUILT_IN_USER)

        return endpoint

    def _choose_handler(
        self, handlers: Mapping[tuple[str, Generation], Handler], request: Request
    ) -> tuple[Handler, Generation] | None:
        """The handler in the generation the caller speaks; in the other one where only that has it."""
        deployed_generation = self._emulator.settings.sd_aws.generation
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
            result = await handler(SdAwsCall(self._emulator, request, account, user, generation, body))
        except SdAwsHttpError as err:
            return self._build_error_response(request, err, generation)
        except Exception:  # the service answers its own defects in its own words
            logger.exception("a call failed", extra={"path": request.url.path})
            return self._build_error_response(request, SdAwsHttpError(500, "internal error"), generation)
        return self._build_response(request, result) if isinstance(result, SdAwsApiResponse) else JSONResponse(result)

    def _build_error_response(self, request: Request, err: SdAwsHttpError, generation: Generation) -> Response:
        if generation == "2024":
            text = err.message if isinstance(err.message, str) else "; ".join(err.message)
            return self._build_response(request, SdAwsApiResponse(status=err.status, message=text))
        if is_bare(request.url.path):
            return JSONResponse({"detail": err.message}, status_code=err.status)
        status = err.status if self._emulator.settings.sd_aws.mirror_status else 200
        return JSONResponse({"statusCode": err.status, err.key: err.message}, status_code=status)

    def _build_response(self, request: Request, response: SdAwsApiResponse) -> Response:
        if response.status == 204:
            return Response(status_code=204)
        debug = {"function_url": str(request.url.path), "log_url": "", "trace_url": None}
        body: dict[str, Any] = {"statusCode": response.status, "debug": debug, "message": response.message}
        if response.data is not None:
            body["data"] = response.data
        return JSONResponse(body, status_code=response.status, headers={"x-api-version": "1.5.0"})


def is_bare(path: str) -> bool:
    """Whether a route of 2023 answers bare values and real statuses (conventions.envelope.styles)."""
    return re.search(r"/inference/(?!v2)", path) is not None


def _read_user(request: Request) -> str | None:
    """Who calls: ``username``, or the hex in Authorization (auth.authorization)."""
    if name := request.headers.get("username"):
        return name
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        return bytes.fromhex(encoded.strip()).decode()
    except ValueError:
        return None


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
