"""What the middleware's refusals mean for us, arranged by who can mend it (contract: errors, conventions.envelope).

A failure can hide in an HTTP 200: behind a numeric ``statusCode`` or ``status`` of 400 and more, or behind an error key
alone. Routes that answer bare values are told by their HTTP status alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
    UpstreamFailed,
)
from atelier_mcp.server.providers.faults import Rejection

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse

ERROR_KEYS = ("error", "errMsg", "errorMsg", "err")
"""Whichever of these holds something, the call has failed, whatever the status says."""
TEXT_KEYS = (*ERROR_KEYS, "msg", "message", "detail")
RATE_LIMITED = 429
GATEWAY_STATUSES = frozenset({502, 503, 504})
NO_SUCH_ROUTE = frozenset({403, 404})
"""The gateway says Forbidden to a wrong key and to a path it does not have (contract: errors.403)."""


@dataclass(frozen=True, slots=True)
class SdAwsFault:
    """An answer that is an error; ``in_body`` when the HTTP status says nothing of it."""

    status: int
    message: str = ""
    in_body: bool = False


class SdAwsRejection(Rejection):
    """A refusal by the middleware or its storage."""

    fault: SdAwsFault


class SdAwsFaultTable:
    """The middleware's errors for one deployment's client."""

    rejection_type: type[Rejection] = SdAwsRejection

    def __init__(self, client: UpstreamClient, *, bare: bool) -> None:
        """``bare`` is for routes whose answers are no envelope; ``client`` quotes what the service says."""
        self._client = client
        self._bare = bare

    def parse_fault(self, response: HttpResponse) -> SdAwsFault | None:
        """The fault an answer holds; None for success."""
        return parse_fault(response, bare=self._bare)

    def is_retryable(self, fault: SdAwsFault, *, is_submit: bool) -> bool:
        """Too many requests, and for what is no submit a gateway in trouble; never what only the body says."""
        is_server_error = fault.status in GATEWAY_STATUSES or fault.status == 500
        return not fault.in_body and (fault.status == RATE_LIMITED or (is_server_error and not is_submit))

    def build_error(self, fault: SdAwsFault, *, is_submit: bool) -> AtelierError:
        """Our error for a fault; for a submit, only ``SubmitUnconfirmed`` leaves open whether a job exists."""
        return build_error(fault, client=self._client, is_submit=is_submit)


def parse_fault(response: HttpResponse, *, bare: bool) -> SdAwsFault | None:
    """The error an answer holds, if any."""
    document = response.json()
    if response.status >= 400:
        return SdAwsFault(response.status, _find_message(document))
    if bare or not isinstance(document, dict):
        return None
    body = cast("dict[str, Any]", document)
    status = next(
        (found for key in ("statusCode", "status") if (found := _parse_status(body.get(key))) is not None), 200
    )
    if status >= 400:
        return SdAwsFault(status, _find_message(body), in_body=True)
    if any(body.get(key) for key in ERROR_KEYS):
        return SdAwsFault(400, _find_message(body), in_body=True)
    return None


def build_error(fault: SdAwsFault, *, client: UpstreamClient, is_submit: bool) -> AtelierError:
    """Our error for a fault; for a submit, only ``SubmitUnconfirmed`` leaves open whether a job exists."""
    reason = client.quote(fault.message)
    service = client.service
    if fault.status >= 500 and not fault.in_body:
        error_type = SubmitUnconfirmed if is_submit else ProviderUnavailable
        return error_type(f"{service} answers with HTTP {fault.status}. {reason}")
    match fault.status:
        case 401:
            return AuthenticationFailed(f"{service} does not accept the user. {reason}", hint="Check SD_AWS_USERNAME.")
        case 403 if not fault.in_body:
            return AuthenticationFailed(
                f"{service} does not accept the key, or has no such call. {reason}",
                hint="Check SD_AWS_API_KEY and SD_AWS_URL, which ends with its stage: .../prod.",
            )
        case 403:
            return AccountRefused(f"{service} does not allow this. {reason}", hint="Give SD_AWS_USERNAME the right.")
        case 429:
            return RateLimited(f"{service} is asked too fast. {reason}", hint="Try again in a minute.")
        case status if status < 500 or fault.in_body:
            return InvalidRequest(f"{service} refuses the request. {reason}", hint="Change it.")
        case _:
            return UpstreamFailed(f"{service} refused. {reason}", spent=Spent.NOTHING)


def _find_message(document: Any) -> str:
    """Whatever is said under any of the names, texts and lists alike (contract: inference_v2.failure_shape)."""
    if not isinstance(document, dict):
        return document if isinstance(document, str) else ""
    body = cast("dict[str, Any]", document)
    messages = [_flatten_message(body[key]) for key in TEXT_KEYS if body.get(key)]
    return "; ".join(dict.fromkeys(text for text in messages if text))


def _flatten_message(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_flatten_message(item) for item in cast("list[Any]", value))
    if isinstance(value, dict):
        return str(cast("dict[str, Any]", value).get("msg") or "")
    return str(value)


def _parse_status(value: Any) -> int | None:
    """A status code, also one printed as ``"200,"``; a job's state is none (contract: list_trainings.string_status)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value)
    found = re.match(r"\s*(\d+)", value) if isinstance(value, str) else None
    return int(found[1]) if found else None
