"""One call of MHAPI from the door to the answer: who calls, how often, what is in it, what is wrong with it."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from starlette.responses import JSONResponse
from starlette.routing import Route

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.faults import verdict_on
from atelier_mcp.server.emulator.links import origin_of
from atelier_mcp.server.emulator.mhapi.auth import authenticate
from atelier_mcp.server.emulator.mhapi.errors import (
    INTERNAL,
    NOT_FOUND,
    NOT_IMPLEMENTED,
    RATE,
    Refused,
    error_answer,
    invalid,
)
from atelier_mcp.server.emulator.mhapi.fields import Fields, Values, read_object
from atelier_mcp.server.emulator.sources import Source, SourceRefused, SourceRule, same_ratio
from atelier_mcp.server.emulator.tasks import WAIT_SHARE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.settings import MhapiSwitches
    from atelier_mcp.server.emulator.task_store import Task
    from atelier_mcp.server.emulator.tasks import Order
    from atelier_mcp.server.emulator.world import World

logger = logging.getLogger(__name__)

Handler: TypeAlias = "Callable[[Call], Awaitable[Any]]"

ANY_SOURCE: Final = SourceRule()
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
LARGEST_SEED: Final = 99_999_998


def service(name: str) -> str:
    """The id space of a service: ``imgenstd`` is ``mhapi.imgenstd``."""
    return f"mhapi.{name}"


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated call. ``body`` is its JSON document, empty when it has none."""

    world: World
    account: Account
    request: Request
    body: Mapping[str, Any]

    @property
    def switches(self) -> MhapiSwitches:
        """The readings of the contract in force."""
        return self.world.settings.mhapi

    @property
    def origin(self) -> str:
        """Scheme and host the caller reached us by."""
        return origin_of(self.request)

    def read(self, fields: Fields) -> Values:
        """The body held against a table."""
        return read_object(fields, self.body, self.switches)

    def seed(self, given: int | None = None) -> int:
        """The seed of the first picture; drawn now when none, or 0, is given, so that rendering needs no dice."""
        return given or self.world.dice.randint(1, LARGEST_SEED)

    async def source(self, url: str, place: str, rule: SourceRule = ANY_SOURCE) -> Source:
        """The picture behind a link; ``place`` is the parameter's name for the refusal."""
        with _naming(place):
            return await self.world.sources.fetch(url, rule, most_bytes=self.switches.max_source_bytes)

    async def source_of(self, data: bytes, place: str, rule: SourceRule = ANY_SOURCE) -> Source:
        """The picture these bytes are."""
        with _naming(place):
            return await self.world.sources.check(data, rule, most_bytes=self.switches.max_source_bytes)

    async def source_and_mask(self, values: Values, rule: SourceRule = ANY_SOURCE) -> tuple[Source, Source]:
        """``img_url`` and ``mask_img_url``, which must have the same ratio of sides (shared.mask)."""
        source, mask = await asyncio.gather(
            self.source(values["img_url"], "img_url", rule), self.source(values["mask_img_url"], "mask_img_url", rule)
        )
        if not same_ratio(source, mask):
            raise invalid("mask_img_url must have the same aspect ratio as img_url")
        return source, mask

    async def accept(
        self,
        name: str,
        order: Order,
        *,
        facts: Mapping[str, Any] | None = None,
        wait_share: float = WAIT_SHARE,
        lasting: bool = False,
    ) -> Task:
        """Take on a task of the service ``name``."""
        verdict = verdict_on(self.request)
        return await self.world.tasks.accept(
            service(name),
            self.account.access_key,
            order,
            facts=facts,
            verdict=verdict,
            wait_share=wait_share,
            lasting=lasting,
        )


class _naming:  # noqa: N801 - reads as the statement it is: with _naming("img_url")
    """Turns a refused picture into code 3 that names the parameter."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, SourceRefused):
            raise invalid(f"{self._place} {error}") from error


def route(world: World, method: str, path: str, handler: Handler) -> Route:
    """A route for one endpoint; any other method on its path is code 12 unless another route takes it."""
    return Route(path, _endpoint(world, handler), methods=[method])


def unknown_method(world: World, path: str) -> Route:
    """The answer to methods no endpoint on this path has (lora.train.path_example: HTTP 501, code 12)."""

    async def refuse(call: Call) -> Any:
        raise Refused(NOT_IMPLEMENTED, f"{call.request.method} is not a method of {path}")

    return Route(path, _endpoint(world, refuse), methods=list(METHODS))


def unknown_path(world: World) -> Route:
    """The answer to paths that are no endpoint."""

    async def refuse(call: Call) -> Any:
        raise Refused(NOT_FOUND, f"{call.request.url.path} does not exist")

    return Route("/{path:path}", _endpoint(world, refuse), methods=list(METHODS))


def _endpoint(world: World, handler: Handler) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            account = _admitted(world, request)
            return JSONResponse(await handler(Call(world, account, request, await _body(request))))
        except Refused as err:
            refused = err
        except Exception:  # the service answers its own defects in its own words
            logger.exception("a call failed", extra={"path": request.url.path})
            refused = Refused(INTERNAL)
        return error_answer(refused, dice=world.dice, always_200=world.settings.mhapi.always_200)

    return endpoint


def _admitted(world: World, request: Request) -> Account:
    settings = world.settings
    header = request.headers.get("authorization", "")
    account = authenticate(header, world.accounts, now=world.clock.wall(), switches=settings.mhapi)
    setattr(request.state, ACCOUNT, account.access_key)
    wait_s = world.accounts.count(account, now=world.clock.now(), rate_per_s=settings.rate_per_s)
    if wait_s is not None:
        raise Refused(RATE, "requests come too fast", retry_after_s=wait_s)
    return account


async def _body(request: Request) -> Mapping[str, Any]:
    """The JSON object of the body, whatever the header calls it (shared.content_type_get)."""
    data = await request.body()
    if not data:
        return {}
    try:
        document = json.loads(data)
    except ValueError:
        raise invalid("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid("the body must be an object")
    return cast("dict[str, Any]", document)
