"""One call of MHAPI from the route to the response: who calls, how often, what is in it, what is wrong with it."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from starlette.responses import JSONResponse
from starlette.routing import Route

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.links import get_origin
from atelier_mcp.server.emulator.mhapi.auth import authenticate
from atelier_mcp.server.emulator.mhapi.errors import (
    INTERNAL,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    RATE,
    MhapiHttpError,
    build_error_response,
    invalid_parameter,
)
from atelier_mcp.server.emulator.mhapi.parameters import ParameterTable, Values, read_object
from atelier_mcp.server.emulator.sources import SourceError, SourceImage, SourceRule, has_same_ratio
from atelier_mcp.server.emulator.tasks import WAIT_SHARE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.engine_calls import EngineTask
    from atelier_mcp.server.emulator.settings import MhapiSwitches
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

logger = logging.getLogger(__name__)

Handler: TypeAlias = "Callable[[MhapiCall], Awaitable[Any]]"

ANY_SOURCE: Final = SourceRule()
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
LARGEST_SEED: Final = 99_999_998


def build_service_id(name: str) -> str:
    """The id space of a service: ``imgenstd`` is ``mhapi.imgenstd``."""
    return f"mhapi.{name}"


@dataclass(frozen=True, slots=True)
class MhapiCall:
    """An authenticated call. ``body`` is its JSON document, empty when it has none."""

    emulator: EmulatorState
    account: Account
    request: Request
    body: Mapping[str, Any]

    @property
    def switches(self) -> MhapiSwitches:
        """The readings of the contract in force."""
        return self.emulator.settings.mhapi

    @property
    def origin(self) -> str:
        """Scheme and host the caller reached us by."""
        return get_origin(self.request)

    def read_parameters(self, table: ParameterTable) -> Values:
        """The body held against a table."""
        return read_object(table, self.body, self.switches)

    def choose_seed(self, requested: int | None = None) -> int:
        """The seed of the first picture; drawn now when none, or 0, is given, so that rendering needs no rng."""
        return requested or self.emulator.rng.randint(1, LARGEST_SEED)

    async def fetch_source(self, url: str, place: str, rule: SourceRule = ANY_SOURCE) -> SourceImage:
        """The picture behind a link; ``place`` is the parameter's name for the refusal."""
        with _ParameterErrorContext(place):
            return await self.emulator.sources.fetch(url, rule, most_bytes=self.switches.max_source_bytes)

    async def check_source(self, data: bytes, place: str, rule: SourceRule = ANY_SOURCE) -> SourceImage:
        """The picture these bytes are."""
        with _ParameterErrorContext(place):
            return await self.emulator.sources.check(data, rule, most_bytes=self.switches.max_source_bytes)

    async def fetch_source_and_mask(
        self, values: Values, rule: SourceRule = ANY_SOURCE
    ) -> tuple[SourceImage, SourceImage]:
        """``img_url`` and ``mask_img_url``, which must have the same ratio of sides (shared.mask)."""
        source, mask = await asyncio.gather(
            self.fetch_source(values["img_url"], "img_url", rule),
            self.fetch_source(values["mask_img_url"], "mask_img_url", rule),
        )
        if not has_same_ratio(source, mask):
            raise invalid_parameter("mask_img_url must have the same aspect ratio as img_url")
        return source, mask

    async def accept(
        self,
        name: str,
        engine_task: EngineTask,
        *,
        facts: Mapping[str, Any] | None = None,
        wait_share: float = WAIT_SHARE,
        lasting: bool = False,
    ) -> TaskRecord:
        """Take on a task of the service ``name``."""
        verdict = get_verdict(self.request)
        return await self.emulator.tasks.accept(
            build_service_id(name),
            self.account.access_key,
            engine_task,
            facts=facts,
            verdict=verdict,
            wait_share=wait_share,
            lasting=lasting,
        )


class _ParameterErrorContext:
    """Turns a refused picture into code 3 that names the parameter."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, SourceError):
            raise invalid_parameter(f"{self._place} {error}") from error


def build_route(emulator: EmulatorState, method: str, path: str, handler: Handler) -> Route:
    """A route for one endpoint; any other method on its path is code 12 unless another route takes it."""
    return Route(path, _build_endpoint(emulator, handler), methods=[method])


def build_unknown_method_route(emulator: EmulatorState, path: str) -> Route:
    """The answer to methods no endpoint on this path has (lora.train.path_example: HTTP 501, code 12)."""

    async def refuse(call: MhapiCall) -> Any:
        raise MhapiHttpError(NOT_IMPLEMENTED, f"{call.request.method} is not a method of {path}")

    return Route(path, _build_endpoint(emulator, refuse), methods=list(METHODS))


def build_unknown_path_route(emulator: EmulatorState) -> Route:
    """The answer to paths that are no endpoint."""

    async def refuse(call: MhapiCall) -> Any:
        raise MhapiHttpError(NOT_FOUND, f"{call.request.url.path} does not exist")

    return Route("/{path:path}", _build_endpoint(emulator, refuse), methods=list(METHODS))


def _build_endpoint(emulator: EmulatorState, handler: Handler) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            account = _admit(emulator, request)
            return JSONResponse(await handler(MhapiCall(emulator, account, request, await _read_body(request))))
        except MhapiHttpError as err:
            error = err
        except Exception:  # the service answers its own defects in its own words
            logger.exception("a call failed", extra={"path": request.url.path})
            error = MhapiHttpError(INTERNAL)
        return build_error_response(error, rng=emulator.rng, always_200=emulator.settings.mhapi.always_200)

    return endpoint


def _admit(emulator: EmulatorState, request: Request) -> Account:
    settings = emulator.settings
    header = request.headers.get("authorization", "")
    account = authenticate(header, emulator.accounts, now=emulator.clock.read_wall_clock(), switches=settings.mhapi)
    setattr(request.state, ACCOUNT, account.access_key)
    wait_s = emulator.accounts.count_call(account, now=emulator.clock.now(), rate_per_s=settings.rate_per_s)
    if wait_s is not None:
        raise MhapiHttpError(RATE, "requests come too fast", retry_after_s=wait_s)
    return account


async def _read_body(request: Request) -> Mapping[str, Any]:
    """The JSON object of the body, whatever the header calls it (shared.content_type_get)."""
    data = await request.body()
    if not data:
        return {}
    try:
        document = json.loads(data)
    except ValueError:
        raise invalid_parameter("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid_parameter("the body must be an object")
    return cast("dict[str, Any]", document)
