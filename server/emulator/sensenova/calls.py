"""One call of SenseNova from the route to the response: who calls, how often, what is in it, what is wrong with it."""

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
from atelier_mcp.server.emulator.sensenova.responses import (
    DONE_EVENT,
    ChatCompletion,
    build_error_body,
    build_response_body,
    encode_stream,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.state import EmulatorState

logger = logging.getLogger(__name__)

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
BEARER: Final = "bearer "


class SensenovaHttpError(Exception):
    """A request that is answered with an HTTP error; ``retry_after_s`` becomes a header."""

    def __init__(self, status: int, reason: str, *, retry_after_s: float | None = None) -> None:
        """Hold status and reason."""
        super().__init__(reason)
        self.status = status
        self.retry_after_s = retry_after_s


def invalid_parameter(reason: str) -> SensenovaHttpError:
    """HTTP 400."""
    return SensenovaHttpError(400, reason)


@dataclass(frozen=True, slots=True)
class SensenovaCall:
    """An authenticated call."""

    emulator: EmulatorState
    account: Account
    request: Request
    body: Mapping[str, Any]


Handler: TypeAlias = Callable[[SensenovaCall], Awaitable[Response]]


def build_endpoint(emulator: EmulatorState, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The handler as a Starlette endpoint."""

    async def respond(request: Request) -> Response:
        try:
            account = _admit(emulator, request)
            return await handler(SensenovaCall(emulator, account, request, await _read_body(request)))
        except SensenovaHttpError as err:
            error = err
        except Exception:  # the service answers its own defects in its own words
            logger.exception("a call failed", extra={"path": request.url.path})
            error = SensenovaHttpError(500, "")
        headers = {} if error.retry_after_s is None else {"Retry-After": str(math.ceil(error.retry_after_s))}
        return _build_json_response(build_error_body(error.status, str(error)), status=error.status, headers=headers)

    return respond


async def refuse_unknown_path(call: SensenovaCall) -> Response:
    """HTTP 404, or 405 for another method than POST on a path that exists."""
    raise SensenovaHttpError(404, f"{call.request.method} {call.request.url.path} does not exist")


def build_response(
    call: SensenovaCall, completion: ChatCompletion, *, stream: bool, sends_done_event: bool, closes_connection: bool
) -> Response:
    """The answer as it was asked for; a stream takes as long as the emulator's tasks do."""
    answer_id = f"{call.emulator.rng.getrandbits(60):015x}"
    if not stream:
        return _build_json_response(build_response_body(answer_id, completion), status=200, headers={})
    pause_s = call.emulator.settings.task_seconds / (len(completion.chunks) + 1)
    # Starlette would name a character set, which the service does not.
    headers = {"Content-Type": "text/event-stream", **({"Connection": "close"} if closes_connection else {})}
    return StreamingResponse(
        _stream_chunks(answer_id, completion, pause_s, DONE_EVENT if sends_done_event else b""), headers=headers
    )


async def _stream_chunks(
    answer_id: str, completion: ChatCompletion, pause_s: float, end: bytes
) -> AsyncGenerator[bytes]:
    for chunk in encode_stream(answer_id, completion):
        if pause_s:
            await asyncio.sleep(pause_s)
        yield chunk
    if end:
        yield end


def _build_json_response(document: dict[str, Any], *, status: int, headers: Mapping[str, str]) -> Response:
    body = json.dumps(document, ensure_ascii=False).encode()
    return Response(body, status_code=status, media_type="application/json", headers=dict(headers))


def _admit(emulator: EmulatorState, request: Request) -> Account:
    """The account whose bare key the header carries; a scheme word is let pass (auth.note)."""
    header = request.headers.get("authorization", "").strip()
    key = header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else header
    account = emulator.accounts.find_by_secret(key)
    if account is None:
        raise SensenovaHttpError(401, "the API key is missing or unknown")
    setattr(request.state, ACCOUNT, account.access_key)
    wait_s = emulator.accounts.count_call(account, now=emulator.clock.now(), rate_per_s=emulator.settings.rate_per_s)
    if wait_s is not None:
        raise SensenovaHttpError(429, "requests come too fast", retry_after_s=wait_s)
    return account


async def _read_body(request: Request) -> Mapping[str, Any]:
    data = await request.body()
    try:
        document: Any = json.loads(data or b"{}")
    except ValueError:
        raise invalid_parameter("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid_parameter("the body must be an object")
    return cast("dict[str, Any]", document)
