"""What MHAPI's error codes mean for us, arranged by who can mend it (contract: errors).

The body decides, the HTTP status only where there is no readable body (contract: shared.http_status).
"""

from __future__ import annotations

from dataclasses import dataclass
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
from atelier_mcp.server.providers.mhapi.wire import ErrorBody
from atelier_mcp.server.providers.reading import Text, Wire, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.providers.http import Account, Answer

CODE_BY_STATUS = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 10, 413: 11, 429: 8, 499: 1, 501: 12, 504: 4}
"""The usual gRPC mapping, which the codes follow; a deduction, not the vendor's word."""
REPEATABLE = frozenset({4, 8, 10, 14})
"""Codes after which a read is worth repeating at once (contract: shared.retry_and_rate)."""
INTERNAL = frozenset({1, 2, 4, 13, 14, 15})
"""Faults inside the service, after which a submitted task may exist."""
INVALID = 3
GONE = 5
RATE = 8
STATE = 9
CONFLICT = 10
NOT_OFFERED = 12
AUTHENTICATION = 16
SENSITIVE = 18


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is an error: its code, guessed from the HTTP status where the body has none."""

    code: int
    message: str = ""
    status: int = 200
    trace: str = ""
    retry_after_s: float | None = None


class _Loose(Wire):
    error: Any = None
    code: int | None = None
    message: Text = ""
    msg: Text = ""


class Rejected(Exception):
    """The service refused, and asking the same again at once will not help."""

    def __init__(self, fault: Fault) -> None:
        """Carry the fault to where it is known what was asked."""
        super().__init__(f"code {fault.code}")
        self.fault = fault


def fault_in(answer: Answer) -> Fault | None:
    """The error an answer holds, or None for success: no error, an empty one, or code 0 (contract: error_presence)."""
    document = answer.json()
    body = _error_body(document, answer.status)
    if body is not None and (body.code or body.message):
        traces = [str(detail) for detail in body.details or [] if "trace_id:" in str(detail)]
        return Fault(body.code or _code_for(answer.status), body.message, answer.status, "".join(traces[:1]))
    return None if answer.status < 400 else Fault(_code_for(answer.status), status=answer.status)


def _error_body(document: Any, status: int) -> ErrorBody | None:
    """What stands under ``error``; where the answer failed, also a flat code and message, as gateways send."""
    loose = read(_Loose, document)
    if loose is None:
        return None
    if not loose.error:
        return ErrorBody(code=loose.code, message=loose.message or loose.msg) if status >= 400 else None
    return read(ErrorBody, loose.error) or ErrorBody(message=str(loose.error))


def error_for(fault: Fault, *, account: Account, submit: bool) -> AtelierError:
    """Our error for a fault; for a submit, only ``SubmitUnconfirmed`` leaves open whether a task exists."""
    says = account.quote(fault.message)
    if submit and (fault.code in INTERNAL or (fault.status >= 500 and fault.code not in _MEANINGS)):
        return SubmitUnconfirmed(f"{account.service} met an internal fault while it took the job. {says}")
    meaning = _MEANINGS.get(fault.code)
    if meaning is not None:
        return meaning(fault, says)
    if fault.status >= 500 or fault.code in INTERNAL:
        return ProviderUnavailable(
            f"{account.service} met an internal fault. {says}", retry_after_s=fault.retry_after_s
        )
    return UpstreamFailed(f"{account.service} refused with the unknown code {fault.code}. {says}", spent=Spent.NOTHING)


def _rate_limited(fault: Fault, says: str) -> AtelierError:
    return RateLimited(
        f"MHAPI is asked too fast, or for too much. {says}",
        then="Try again in a minute.",
        retry_after_s=fault.retry_after_s,
    )


_MEANINGS: dict[int, Callable[[Fault, str], AtelierError]] = {
    INVALID: lambda _, says: InvalidRequest(
        f"MHAPI refuses the request. {says}", then="Change it; the same refusal can also stand for sensitive words."
    ),
    GONE: lambda fault, says: (
        InvalidRequest(
            f"MHAPI does not know something that was named. {says}",
            then="detect_faces tells the numbers of faces, list_models the ids of models.",
        )
        if fault.message
        else InvalidRequest("MHAPI has nothing at that address.", then="Check the model's id, then MHAPI_BASE_URL.")
    ),
    6: lambda _, says: InvalidRequest(f"MHAPI has that already. {says}"),
    7: lambda _, says: AccountRefused(
        f"The MHAPI account may not do this. {says}", then="Ask SenseTime for access, or use another account."
    ),
    RATE: _rate_limited,
    STATE: lambda _, says: ProviderUnavailable(f"MHAPI cannot do this in its present state. {says}"),
    CONFLICT: lambda _, says: ProviderUnavailable(f"MHAPI met a conflict. {says}", then="Try again."),
    11: lambda _, says: InvalidRequest(f"MHAPI: a value is out of range. {says}"),
    NOT_OFFERED: lambda _, says: InvalidRequest(f"MHAPI does not offer this. {says}"),
    AUTHENTICATION: lambda _, says: AuthenticationFailed(
        f"MHAPI does not accept the credentials. {says}",
        then="Check MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY, and this machine's clock.",
    ),
    SENSITIVE: lambda _, says: ContentRefused(
        f"MHAPI finds the words or the picture sensitive. {says}", then="Change the prompt or the picture."
    ),
    409: lambda _, says: RateLimited(
        f"MHAPI is still busy with an earlier task of this account. {says}", then="Try again when it has finished."
    ),
    429: lambda _, says: AccountRefused(
        f"The account's daily allowance at MHAPI is used up. {says}", then="Try again tomorrow."
    ),
}


def _code_for(status: int) -> int:
    return CODE_BY_STATUS.get(status, 14 if status >= 500 else STATE)
