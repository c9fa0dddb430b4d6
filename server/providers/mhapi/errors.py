"""What MHAPI's error codes mean for us, arranged by who can mend it (contract: errors).

The body decides, the HTTP status only where there is no readable body (contract: shared.http_status).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
    UpstreamFailed,
)
from atelier_mcp.server.providers.faults import Rejection
from atelier_mcp.server.providers.mhapi.wire import MhapiErrorBody
from atelier_mcp.server.providers.status_check import UNDECIDED_STATUSES
from atelier_mcp.server.providers.wire import Text, WireModel, parse_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse

# No status is documented (contract: shared.http_status).
CODE_BY_STATUS = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 10, 413: 11, 429: 8, 499: 1, 501: 12, 504: 4}
"""The usual gRPC mapping, which the codes follow; a deduction, not the vendor's word."""
RETRYABLE_CODES = frozenset({4, 8, 10, 14})
"""Codes after which a read is worth repeating at once (contract: shared.retry_and_rate)."""
INTERNAL_CODES = frozenset({1, 2, 4, 13, 14, 15})
"""Faults inside the service, after which a submitted task may exist."""
INVALID_ARGUMENT = 3
NOT_FOUND = 5
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
UNIMPLEMENTED = 12
UNAUTHENTICATED = 16
SENSITIVE_CONTENT = 18


@dataclass(frozen=True, slots=True)
class MhapiFault:
    """An answer that is an error: its code, guessed from the HTTP status where the body has none."""

    code: int
    message: str = ""
    status: int = 200
    trace: str = ""
    retry_after_s: float | None = None
    in_envelope: bool = False
    """The code stands in the service's own error envelope; any gateway can give a status or a flat code."""


class _LooseErrorBody(WireModel):
    error: Any = None
    code: int | None = None
    message: Text = ""
    msg: Text = ""


class MhapiRejection(Rejection):
    """A refusal by MHAPI."""

    fault: MhapiFault


class MhapiFaultTable:
    """MHAPI's errors for one account's client."""

    rejection_type: type[Rejection] = MhapiRejection

    def __init__(self, client: UpstreamClient) -> None:
        """Quote the service as ``client`` does, without the account's secrets."""
        self._client = client

    def parse_fault(self, response: HttpResponse) -> MhapiFault | None:
        """The fault an answer holds, with the pause it asks for; None for success."""
        fault = parse_fault(response)
        return fault and replace(fault, retry_after_s=response.get_retry_after_s(self._client.clock))

    def is_retryable(self, fault: MhapiFault, *, is_submit: bool) -> bool:
        """Whether asking again, at once or with a new token, may help."""
        # Both come before the task is made, so that a submit may be repeated, too.
        if fault.code in (RESOURCE_EXHAUSTED, UNAUTHENTICATED):
            return True
        return not is_submit and fault.code in RETRYABLE_CODES

    def build_error(self, fault: MhapiFault, *, is_submit: bool) -> AtelierError:
        """Our error for a fault; for a submit, only ``SubmitUnconfirmed`` leaves open whether a task exists."""
        service, reason = self._client.service, self._client.quote(fault.message)
        # A gateway that gave up waiting, or a fault behind it, may have left a task that runs and is charged.
        if is_submit and (fault.code in INTERNAL_CODES or (fault.status >= 500 and fault.code not in _ERRORS_BY_CODE)):
            return SubmitUnconfirmed(f"{service} met an internal fault while it took the job. {reason}")
        if is_submit and not fault.in_envelope and fault.status in UNDECIDED_STATUSES:
            return SubmitUnconfirmed(f"{service} answered the submit with HTTP {fault.status}. {reason}")
        build = _ERRORS_BY_CODE.get(fault.code)
        if build is not None:
            return build(fault, reason)
        if fault.status >= 500 or fault.code in INTERNAL_CODES:
            return ProviderUnavailable(f"{service} met an internal fault. {reason}", retry_after_s=fault.retry_after_s)
        return UpstreamFailed(f"{service} refused with the unknown code {fault.code}. {reason}", spent=Spent.NOTHING)


def parse_fault(response: HttpResponse) -> MhapiFault | None:
    """The error an answer holds, or None for success: no error, an empty one, or code 0 (contract: error_presence)."""
    document = response.json()
    body = _parse_error_body(document, response.status)
    if body is not None and (body.code or body.message):
        traces = [str(detail) for detail in body.details or [] if "trace_id:" in str(detail)]
        return MhapiFault(
            body.code or _guess_code(response.status),
            body.message,
            response.status,
            "".join(traces[:1]),
            in_envelope=bool(body.code) and isinstance(document.get("error"), dict),
        )
    return None if response.status < 400 else MhapiFault(_guess_code(response.status), status=response.status)


def _parse_error_body(document: Any, status: int) -> MhapiErrorBody | None:
    """What stands under ``error``; where the answer failed, also a flat code and message, as gateways send."""
    body = parse_model(_LooseErrorBody, document)
    if body is None:
        return None
    if not body.error:
        return MhapiErrorBody(code=body.code, message=body.message or body.msg) if status >= 400 else None
    return parse_model(MhapiErrorBody, body.error) or MhapiErrorBody(message=str(body.error))


def _build_rate_limit_error(fault: MhapiFault, reason: str) -> AtelierError:
    return RateLimited(
        f"MHAPI is asked too fast, or for too much. {reason}",
        hint="Try again in a minute.",
        retry_after_s=fault.retry_after_s,
    )


_ERRORS_BY_CODE: dict[int, Callable[[MhapiFault, str], AtelierError]] = {
    INVALID_ARGUMENT: lambda _, says: InvalidRequest(
        f"MHAPI refuses the request. {says}", hint="Change it; the same refusal can also stand for sensitive words."
    ),
    NOT_FOUND: lambda fault, says: (
        InvalidRequest(
            f"MHAPI did not find what the request is about. {says}",
            hint="detect_faces says whether a picture has faces, and their numbers; list_models has the ids of models.",
        )
        if fault.message
        else InvalidRequest("MHAPI has nothing at that address.", hint="Check the model's id, then MHAPI_BASE_URL.")
    ),
    # The numbers without a name stand in one place only, with the table of the contract beside them (contract: errors).
    6: lambda _, says: InvalidRequest(f"MHAPI has that already. {says}"),
    7: lambda _, says: AccountRefused(
        f"The MHAPI account may not do this. {says}", hint="Ask SenseTime for access, or use another account."
    ),
    RESOURCE_EXHAUSTED: _build_rate_limit_error,
    FAILED_PRECONDITION: lambda _, says: ProviderUnavailable(f"MHAPI cannot do this in its present state. {says}"),
    ABORTED: lambda _, says: ProviderUnavailable(f"MHAPI met a conflict. {says}", hint="Try again."),
    11: lambda _, says: InvalidRequest(f"MHAPI: a value is out of range. {says}"),
    UNIMPLEMENTED: lambda _, says: InvalidRequest(f"MHAPI does not offer this. {says}"),
    UNAUTHENTICATED: lambda _, says: AuthenticationFailed(
        f"MHAPI does not accept the credentials. {says}",
        hint="Check MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY, and this machine's clock.",
    ),
    SENSITIVE_CONTENT: lambda _, says: ContentRefused(
        f"MHAPI finds the words or the picture sensitive. {says}", hint="Change the prompt or the picture."
    ),
    # 409 and 429 are codes in the body, not statuses: limits of the free trial (contract: errors.409, errors.429).
    409: lambda _, says: RateLimited(
        f"MHAPI is still busy with an earlier task of this account. {says}", hint="Try again when it has finished."
    ),
    429: lambda _, says: AccountRefused(
        f"The account's daily allowance at MHAPI is used up. {says}", hint="Try again tomorrow."
    ),
}


def _guess_code(status: int) -> int:
    return CODE_BY_STATUS.get(status, 14 if status >= 500 else FAILED_PRECONDITION)
