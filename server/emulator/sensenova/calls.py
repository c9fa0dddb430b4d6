"""One call of SenseNova from the door to the answer: who calls, how often, what is in it, what is wrong with it."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from starlette.responses import Response, StreamingResponse

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.sensenova.answers import END_MARK, Spoken, chunks, error_body, whole

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.world import World

logger = logging.getLogger(__name__)

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
BEARER: Final = "bearer "


class Refused(Exception):
    """A request that is answered with an HTTP error; ``retry_after_s`` becomes a header."""

    def __init__(self, status: int, reason: str, *, retry_after_s: float | None = None) -> None:
        """Hold status and reason."""
        super().__init__(reason)
        self.status = status
        self.retry_after_s = retry_after_s


def invalid(reason: str) -> Refused:
    """HTTP 400."""
    return Refused(400, reason)


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated call."""

    world: World
    account: Account
    request: Request
    body: Mapping[str, Any]


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


def endpoint(world: World, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The handler behind the door."""

    async def answer(request: Request) -> Response:
        try:
            account = _admitted(world, request)
            return await handler(Call(world, account, request, await _body(request)))
        except Refused as err:
            refused = err
        except Exception:  # the service answers its own defects in its own words
            logger.exception("a call failed", extra={"path": request.url.path})
            refused = Refused(500, "")
        headers = {} if refused.retry_after_s is None else {"Retry-After": str(math.ceil(refused.retry_after_s))}
        return _json(error_body(refused.status, str(refused)), status=refused.status, headers=headers)

    return answer


async def unknown_path(call: Call) -> Response:
    """HTTP 404, or 405 for another method than POST on a path that exists."""
    raise Refused(404, f"{call.request.method} {call.request.url.path} does not exist")


def reply(call: Call, answer: Spoken, *, stream: bool, ends_with_mark: bool, closes: bool) -> Response:
    """The answer as it was asked for; a stream takes as long as the emulator's tasks do."""
    answer_id = f"{call.world.dice.getrandbits(60):015x}"
    if not stream:
        return _json(whole(answer_id, answer), status=200, headers={})
    pause_s = call.world.settings.task_seconds / (len(answer.pieces) + 1)
    # Starlette would name a character set, which the service does not.
    headers = {"Content-Type": "text/event-stream", **({"Connection": "close"} if closes else {})}
    return StreamingResponse(_paced(answer_id, answer, pause_s, END_MARK if ends_with_mark else b""), headers=headers)


async def _paced(answer_id: str, answer: Spoken, pause_s: float, end: bytes) -> AsyncGenerator[bytes]:
    for chunk in chunks(answer_id, answer):
        if pause_s:
            await asyncio.sleep(pause_s)
        yield chunk
    if end:
        yield end


def _json(document: dict[str, Any], *, status: int, headers: Mapping[str, str]) -> Response:
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(body, status_code=status, media_type="application/json", headers=dict(headers))


def _admitted(world: World, request: Request) -> Account:
    """The account whose bare key the header carries; a scheme word is let pass (auth.note)."""
    header = request.headers.get("authorization", "").strip()
    key = header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else header
    account = world.accounts.with_secret(key)
    if account is None:
        raise Refused(401, "the API key is missing or unknown")
    setattr(request.state, ACCOUNT, account.access_key)
    wait_s = world.accounts.count(account, now=world.clock.now(), rate_per_s=world.settings.rate_per_s)
    if wait_s is not None:
        raise Refused(429, "requests come too fast", retry_after_s=wait_s)
    return account


async def _body(request: Request) -> Mapping[str, Any]:
    data = await request.body()
    try:
        document: Any = json.loads(data or b"{}")
    except ValueError:
        raise invalid("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid("the body must be an object")
    return cast("dict[str, Any]", document)
