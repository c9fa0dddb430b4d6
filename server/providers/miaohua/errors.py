"""What Miaohua's codes mean for us, arranged by who can mend it (contract: errors).

The body decides, whatever the HTTP status; the status only where there is no readable body (contract: http_status).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

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

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.providers.http import Account, Answer, Call

TOKEN = frozenset({401, 411, 412, 413, 600})
"""A new token once, then the call again."""
NOT_TAKEN = frozenset({103, 104, 105})
"""The task was certainly not accepted: worth another try after a pause."""
TOO_FAST = 429
UNKNOWN_TASK = frozenset({106, 107, 108})
NO_SUCH_ENDPOINT = frozenset({404, 405})
"""Statuses by which older or newer services say that they do not have a call."""
NO_SLOT = 123
NO_BALANCE = 124
PICTURE_IN_CHECK = 703
PICTURE_REFUSED = 704
BACKOFF_S = 1.0
CHECK_S = 2.0
"""After this long a picture that was being checked is asked about again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is an error; ``by_status`` when only the HTTP status says so."""

    code: int
    message: str = ""
    by_status: bool = False


class Rejected(Exception):
    """The service refused, and asking the same again at once will not help."""

    def __init__(self, fault: Fault) -> None:
        """Carry the fault to where it is known what was asked."""
        super().__init__(f"code {fault.code}")
        self.fault = fault


def fault_in(answer: Answer) -> Fault | None:
    """The error an answer holds; None for code 0 and for an answer without an envelope."""
    document = answer.json()
    if isinstance(document, dict):
        body = cast("dict[str, Any]", document)
        code = _number(body.get("code"))
        if code is not None:
            return Fault(code, str(body.get("msg") or "")) if code else None
    return None if answer.status < 400 else Fault(answer.status, by_status=True)


def judge_for(call: Call, account: Account) -> Callable[[Answer], None]:
    """Raises what may be repeated, or mended by a new token, as such; any other refusal as ``Rejected``."""

    def judge(answer: Answer) -> None:
        fault = fault_in(answer)
        if fault is None:
            return
        refused_token = fault.code in TOKEN and not (fault.by_status and fault.code == 413)
        certain = fault.code == TOO_FAST or (fault.code in NOT_TAKEN and not fault.by_status)
        if refused_token or certain or (fault.code in range(500, 600) and not call.submit):
            raise error_for(fault, account=account, submit=call.submit)
        raise Rejected(fault)

    return judge


def error_for(fault: Fault, *, account: Account, submit: bool) -> AtelierError:
    """Our error for a fault; for a submit, only ``SubmitUnconfirmed`` leaves open whether a task exists."""
    says = account.quote(fault.message)
    if fault.code in range(500, 600):
        kind = SubmitUnconfirmed if submit else ProviderUnavailable
        return kind(f"Miaohua met an internal fault. {says}")
    meaning = (_OF_STATUS if fault.by_status else _MEANINGS).get(fault.code)
    if meaning is not None:
        return meaning(says)
    return UpstreamFailed(f"Miaohua refused with code {fault.code}. {says}", spent=Spent.NOTHING)


def _number(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError):
        return None


def _login_refused(says: str) -> AtelierError:
    return AuthenticationFailed(
        f"Miaohua does not accept the account. {says}", then="Check MIAOHUA_EMAIL and MIAOHUA_PASSWORD."
    )


def _token_refused(says: str) -> AtelierError:
    return AuthenticationFailed(f"Miaohua does not accept the token. {says}", then="Try again; then check the account.")


def _account_refused(says: str) -> AtelierError:
    return AccountRefused(f"Miaohua does not serve this account. {says}", then="Ask SenseTime, or use another account.")


def _not_taken(says: str) -> AtelierError:
    return ProviderUnavailable(f"Miaohua did not take the task. {says}", retry_after_s=BACKOFF_S)


def _too_fast(says: str) -> AtelierError:
    return RateLimited(f"Miaohua is asked too fast. {says}", then="Try again in a minute.", retry_after_s=BACKOFF_S)


def _invalid(says: str) -> AtelierError:
    return InvalidRequest(f"Miaohua refuses the request. {says}", then="Change it.")


_MEANINGS: dict[int, Callable[[str], AtelierError]] = {
    **dict.fromkeys((101, 102, 119, 120, 121), _login_refused),
    **dict.fromkeys(TOKEN, _token_refused),
    **dict.fromkeys(NOT_TAKEN, _not_taken),
    **dict.fromkeys(UNKNOWN_TASK, lambda says: UpstreamFailed(f"Miaohua does not know this task. {says}")),
    **dict.fromkeys((414, 415, 416), _account_refused),
    **dict.fromkeys((125, 126, 129, 400, 403), _invalid),
    118: lambda says: AccountRefused(f"The account's downloads of the day are used up. {says}", then="Try tomorrow."),
    NO_SLOT: lambda says: RateLimited(
        f"The account has as many tasks under way at Miaohua as it may. {says}", then="Try again when one has finished."
    ),
    NO_BALANCE: lambda says: AccountRefused(
        f"The Miaohua account has no balance left. {says}", then="Top it up; nothing is sent again by itself."
    ),
    TOO_FAST: _too_fast,
    430: lambda says: ContentRefused(f"Miaohua finds the words sensitive. {says}", then="Change the prompt."),
    PICTURE_IN_CHECK: lambda says: ProviderUnavailable(
        f"Miaohua is still checking the picture. {says}", then="Try again in a minute.", retry_after_s=CHECK_S
    ),
    PICTURE_REFUSED: lambda says: ContentRefused(
        f"Miaohua finds the picture sensitive. {says}", then="Use another picture."
    ),
}
_OF_STATUS: dict[int, Callable[[str], AtelierError]] = {
    401: _token_refused,
    403: _account_refused,
    404: lambda _: InvalidRequest("Miaohua has nothing at that address.", then="Check MIAOHUA_BASE_URL."),
    405: lambda _: InvalidRequest("Miaohua does not offer this."),
    413: lambda _: InvalidRequest("The request is too large for Miaohua."),
    429: _too_fast,
}
