"""One call of Miaohua from the route to the response: who calls, what is in it, what is wrong with it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from starlette.responses import JSONResponse
from starlette.routing import Route

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.links import LinkError, get_origin
from atelier_mcp.server.emulator.miaohua.auth import TokenIssuer
from atelier_mcp.server.emulator.miaohua.dataset_store import DataSetStore
from atelier_mcp.server.emulator.miaohua.errors import (
    INTERNAL,
    TOO_FAST,
    MiaohuaApiResponse,
    MiaohuaHttpError,
    build_refusal_body,
    invalid_parameter,
)
from atelier_mcp.server.emulator.miaohua.parameters import ParameterReader
from atelier_mcp.server.emulator.settings import MEBIBYTE
from atelier_mcp.server.emulator.sources import SourceError, SourceImage, SourceRule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.engine_calls import EngineTask
    from atelier_mcp.server.emulator.settings import MiaohuaSwitches
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

logger = logging.getLogger(__name__)

Handler: TypeAlias = "Callable[[MiaohuaCall], Awaitable[MiaohuaApiResponse]]"

PREFIX: Final = "/api/v1b"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
ANY_SOURCE: Final = SourceRule(min_side_px=256, max_side_px=6240)
LARGEST_SOURCE_BYTES: Final = 64 * MEBIBYTE
LARGEST_SEED: Final = 9_999_999


class MiaohuaState:
    """What the calls of one emulator share."""

    def __init__(self, emulator: EmulatorState) -> None:
        """Serve an emulator."""
        self.emulator = emulator
        self.tokens = TokenIssuer(emulator)
        self.datasets = DataSetStore(emulator.store)
        self._status_calls: defaultdict[str, deque[float]] = defaultdict(deque)

    async def log_in(self, request: Request) -> MiaohuaApiResponse:
        """A token for e-mail and password (contract: get_token)."""
        parameters = ParameterReader(await _read_document(request))
        email, password = parameters.read_text("email"), parameters.read_text("password")
        token = await asyncio.to_thread(self.tokens.issue, email, password)
        setattr(request.state, ACCOUNT, email)
        return MiaohuaApiResponse({"token": token}, mirrored=True)

    def count_status_call(self, account: Account) -> None:
        """Refuse with 429 above the rate of the account's batch calls (task_results.rate_scope)."""
        now, limit = self.emulator.clock.now(), self.emulator.settings.miaohua.status_calls_per_s
        calls = self._status_calls[account.access_key]
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= limit:
            raise MiaohuaHttpError(TOO_FAST, f"at most {limit} calls a second")
        calls.append(now)


@dataclass(frozen=True, slots=True)
class MiaohuaCall:
    """An admitted call; ``account`` is its own e-mail's."""

    state: MiaohuaState
    account: Account
    request: Request
    parameters: ParameterReader

    @property
    def emulator(self) -> EmulatorState:
        """What is behind the routes."""
        return self.state.emulator

    @property
    def switches(self) -> MiaohuaSwitches:
        """The readings of the contract in force."""
        return self.emulator.settings.miaohua

    @property
    def origin(self) -> str:
        """Scheme and host the caller reached us by."""
        return get_origin(self.request)

    def create_link(self, path: str) -> str:
        """A link to a file of the store."""
        return self.emulator.links.create_link(path, origin=self.origin, seconds=self.emulator.settings.link_seconds)

    def choose_seed(self, requested: int) -> int:
        """The seed of the first picture; drawn now for -1, so that rendering needs no rng."""
        return self.emulator.rng.randint(0, LARGEST_SEED) if requested < 0 else requested

    async def fetch_source(self, url: str, place: str, *, from_anywhere: bool = False) -> SourceImage:
        """The picture behind a link of an upload or a result; ``place`` is the parameter's name for the refusal."""
        try:
            own_file = self.emulator.links.resolve(url)
            if own_file is None and not (from_anywhere or self.switches.any_source):
                raise invalid_parameter(f"{place} must be a link from upload_img or upload_imgs")
            return await self.emulator.sources.fetch(url, ANY_SOURCE, most_bytes=LARGEST_SOURCE_BYTES)
        except (SourceError, LinkError) as err:
            raise invalid_parameter(f"{place} {err}") from err

    async def accept(
        self, service: str, engine_task: EngineTask, *, facts: Mapping[str, Any], lasting: bool = False
    ) -> TaskRecord:
        """Take on a task."""
        verdict = get_verdict(self.request)
        return await self.emulator.tasks.accept(
            service, self.account.access_key, engine_task, facts=facts, verdict=verdict, lasting=lasting
        )


def build_route(
    state: MiaohuaState, method: str, path: str, handler: Handler, *, known_names: Collection[str] = ()
) -> Route:
    """A route of an endpoint that wants a token; ``known`` names what it takes beside that, for the strict switch."""

    async def handle(request: Request) -> MiaohuaApiResponse:
        document = await _read_document(request)
        account = await admit(state, request, str(document.get("token") or ""))
        values = {name: value for name, value in document.items() if name != "token"}
        unknown = sorted(values.keys() - set(known_names))
        if unknown and state.emulator.settings.miaohua.strict_names:
            raise invalid_parameter(f"unknown parameter {unknown[0]}")
        return await handler(MiaohuaCall(state, account, request, ParameterReader(values)))

    return build_open_route(state, method, path, handle)


def build_open_route(
    state: MiaohuaState, method: str, path: str, handler: Callable[[Request], Awaitable[MiaohuaApiResponse]]
) -> Route:
    """A route whose answer looks after its own admission."""

    async def endpoint(request: Request) -> JSONResponse:
        try:
            response = await handler(request)
            return JSONResponse(response.to_document(state.emulator.settings.miaohua.envelope))
        except MiaohuaHttpError as err:
            error = err
        except Exception:  # the service answers its own defects in its own words
            logger.exception("a call failed", extra={"path": request.url.path})
            error = MiaohuaHttpError(INTERNAL, status=500)
        return JSONResponse(build_refusal_body(error), status_code=error.status)

    return Route(f"{PREFIX}{path}", endpoint, methods=[method])


def build_fallback_route(state: MiaohuaState, paths: Collection[str]) -> Route:
    """The answer to other methods and to paths that are no endpoint."""

    async def refuse(request: Request) -> MiaohuaApiResponse:
        path = request.path_params["path"]
        is_known = f"/{path}".removeprefix(PREFIX) in paths
        raise (
            MiaohuaHttpError(405, status=405)
            if is_known
            else MiaohuaHttpError(404, f"/{path} does not exist", status=404)
        )

    return Route("/{path:path}", build_open_route(state, "GET", "", refuse).endpoint, methods=list(METHODS))


async def admit(state: MiaohuaState, request: Request, token: str) -> Account:
    """The account of a token, counted against the rate of all its calls; raises Refused."""
    account = await asyncio.to_thread(state.tokens.check, token)
    setattr(request.state, ACCOUNT, account.access_key)
    settings = state.emulator.settings
    if (
        state.emulator.accounts.count_call(account, now=state.emulator.clock.now(), rate_per_s=settings.rate_per_s)
        is not None
    ):
        raise MiaohuaHttpError(TOO_FAST)
    return account


async def _read_document(request: Request) -> dict[str, Any]:
    """The query and the JSON object of the body together; the body wins (models_base.paging_location)."""
    query: dict[str, Any] = dict(request.query_params)
    data = await request.body()
    if not data:
        return query
    try:
        document = json.loads(data)
    except ValueError:
        raise invalid_parameter("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid_parameter("the body must be an object")
    return query | cast("dict[str, Any]", document)
