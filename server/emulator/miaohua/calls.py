"""One call of Miaohua from the door to the answer: who calls, what is in it, what is wrong with it."""

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
from atelier_mcp.server.emulator.faults import verdict_on
from atelier_mcp.server.emulator.links import LinkRefused, origin_of
from atelier_mcp.server.emulator.miaohua.answers import INTERNAL, TOO_FAST, Refused, Reply, illegal, refusal
from atelier_mcp.server.emulator.miaohua.auth import TokenDesk
from atelier_mcp.server.emulator.miaohua.dataset_store import DataSetStore
from atelier_mcp.server.emulator.miaohua.parameters import Parameters
from atelier_mcp.server.emulator.settings import MEBIBYTE
from atelier_mcp.server.emulator.sources import Source, SourceRefused, SourceRule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.settings import MiaohuaSwitches
    from atelier_mcp.server.emulator.task_store import Task
    from atelier_mcp.server.emulator.tasks import Order
    from atelier_mcp.server.emulator.world import World

logger = logging.getLogger(__name__)

Handler: TypeAlias = "Callable[[Call], Awaitable[Reply]]"

PREFIX: Final = "/api/v1b"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
ANY_SOURCE: Final = SourceRule(min_side_px=256, max_side_px=6240)
LARGEST_SOURCE_BYTES: Final = 64 * MEBIBYTE
LARGEST_SEED: Final = 9_999_999


class Desk:
    """What the calls of one emulator share."""

    def __init__(self, world: World) -> None:
        """Serve a world."""
        self.world = world
        self.tokens = TokenDesk(world)
        self.datasets = DataSetStore(world.store)
        self._status_calls: defaultdict[str, deque[float]] = defaultdict(deque)

    async def log_in(self, request: Request) -> Reply:
        """A token for e-mail and password (contract: get_token)."""
        given = Parameters(await _document(request))
        email, password = given.text("email"), given.text("password")
        token = await asyncio.to_thread(self.tokens.issue, email, password)
        setattr(request.state, ACCOUNT, email)
        return Reply({"token": token}, mirrored=True)

    def count_status_call(self, account: Account) -> None:
        """Refuse with 429 above the rate of the account's batch calls (task_results.rate_scope)."""
        now, most = self.world.clock.now(), self.world.settings.miaohua.status_calls_per_s
        calls = self._status_calls[account.access_key]
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= most:
            raise Refused(TOO_FAST, f"at most {most} calls a second")
        calls.append(now)


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted call; ``account`` is its own e-mail's."""

    desk: Desk
    account: Account
    request: Request
    given: Parameters

    @property
    def world(self) -> World:
        """What is behind the doors."""
        return self.desk.world

    @property
    def switches(self) -> MiaohuaSwitches:
        """The readings of the contract in force."""
        return self.world.settings.miaohua

    @property
    def origin(self) -> str:
        """Scheme and host the caller reached us by."""
        return origin_of(self.request)

    def link(self, path: str) -> str:
        """A link to a file of the store."""
        return self.world.links.make(path, origin=self.origin, seconds=self.world.settings.link_seconds)

    def seed(self, given: int) -> int:
        """The seed of the first picture; drawn now for -1, so that rendering needs no dice."""
        return self.world.dice.randint(0, LARGEST_SEED) if given < 0 else given

    async def source(self, url: str, place: str, *, from_anywhere: bool = False) -> Source:
        """The picture behind a link of an upload or a result; ``place`` is the parameter's name for the refusal."""
        try:
            own = self.world.links.resolve(url)
            if own is None and not (from_anywhere or self.switches.any_source):
                raise illegal(f"{place} must be a link from upload_img or upload_imgs")
            return await self.world.sources.fetch(url, ANY_SOURCE, most_bytes=LARGEST_SOURCE_BYTES)
        except (SourceRefused, LinkRefused) as err:
            raise illegal(f"{place} {err}") from err

    async def accept(self, service: str, order: Order, *, facts: Mapping[str, Any], lasting: bool = False) -> Task:
        """Take on a task."""
        verdict = verdict_on(self.request)
        return await self.world.tasks.accept(
            service, self.account.access_key, order, facts=facts, verdict=verdict, lasting=lasting
        )


def route(desk: Desk, method: str, path: str, handler: Handler, *, known: Collection[str] = ()) -> Route:
    """A route of an endpoint that wants a token; ``known`` names what it takes beside that, for the strict switch."""

    async def answer(request: Request) -> Reply:
        document = await _document(request)
        account = await admitted(desk, request, str(document.get("token") or ""))
        given = {name: value for name, value in document.items() if name != "token"}
        unknown = sorted(given.keys() - set(known))
        if unknown and desk.world.settings.miaohua.strict_names:
            raise illegal(f"unknown parameter {unknown[0]}")
        return await handler(Call(desk, account, request, Parameters(given)))

    return open_route(desk, method, path, answer)


def open_route(desk: Desk, method: str, path: str, answer: Callable[[Request], Awaitable[Reply]]) -> Route:
    """A route whose answer looks after its own admission."""

    async def endpoint(request: Request) -> JSONResponse:
        try:
            reply = await answer(request)
            return JSONResponse(reply.document(desk.world.settings.miaohua.envelope))
        except Refused as err:
            refused = err
        except Exception:  # the service answers its own defects in its own words
            logger.exception("a call failed", extra={"path": request.url.path})
            refused = Refused(INTERNAL, status=500)
        return JSONResponse(refusal(refused), status_code=refused.status)

    return Route(f"{PREFIX}{path}", endpoint, methods=[method])


def elsewhere(desk: Desk, paths: Collection[str]) -> Route:
    """The answer to other methods and to paths that are no endpoint."""

    async def refuse(request: Request) -> Reply:
        inner = request.path_params["path"]
        known = f"/{inner}".removeprefix(PREFIX) in paths
        raise Refused(405, status=405) if known else Refused(404, f"/{inner} does not exist", status=404)

    return Route("/{path:path}", open_route(desk, "GET", "", refuse).endpoint, methods=list(METHODS))


async def admitted(desk: Desk, request: Request, token: str) -> Account:
    """The account of a token, counted against the rate of all its calls; raises Refused."""
    account = await asyncio.to_thread(desk.tokens.check, token)
    setattr(request.state, ACCOUNT, account.access_key)
    settings = desk.world.settings
    if desk.world.accounts.count(account, now=desk.world.clock.now(), rate_per_s=settings.rate_per_s) is not None:
        raise Refused(TOO_FAST)
    return account


async def _document(request: Request) -> dict[str, Any]:
    """The query and the JSON object of the body together; the body wins (models_base.paging_location)."""
    query: dict[str, Any] = dict(request.query_params)
    data = await request.body()
    if not data:
        return query
    try:
        document = json.loads(data)
    except ValueError:
        raise illegal("the body is not JSON") from None
    if not isinstance(document, dict):
        raise illegal("the body must be an object")
    return query | cast("dict[str, Any]", document)
