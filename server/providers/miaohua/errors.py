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
from atelier_mcp.server.providers.faults import Rejection
from atelier_mcp.server.providers.status_check import UNDECIDED_STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse

TOKEN_CODES = frozenset({401, 411, 412, 413, 600})
"""A new token once, then the call again."""
NOT_ACCEPTED_CODES = frozenset({103, 104, 105})
"""The task was certainly not accepted: worth another try after a pause."""
RATE_LIMITED = 429
UNKNOWN_TASK_CODES = frozenset({106, 107, 108})
NO_SUCH_ENDPOINT = frozenset({404, 405})
"""Statuses by which older or newer services say that they do not have a call."""
NO_SLOT_CODES = frozenset({123, 603})
"""As many tasks are under way as the account may have; 603 is the older code."""
BACKEND_LOST = 501
"""Said of a submit by the older service; whether the task was taken before that stays open (contract: errors.501)."""
IMAGE_IN_CHECK = 703
IMAGE_REFUSED = 704
BACKOFF_S = 1.0
IMAGE_CHECK_INTERVAL_S = 2.0
"""After this long a picture that was being checked is asked about again."""
MAX_IMAGE_CHECKS = 30
"""How often that is done."""


@dataclass(frozen=True, slots=True)
class MiaohuaFault:
    """An answer that is an error; ``by_status`` when only the HTTP status says so."""

    code: int
    message: str = ""
    by_status: bool = False


class MiaohuaRejection(Rejection):
    """A refusal by Miaohua."""

    fault: MiaohuaFault


class MiaohuaFaultTable:
    """Miaohua's errors for one account's client."""

    rejection_type: type[Rejection] = MiaohuaRejection

    def __init__(self, client: UpstreamClient) -> None:
        """Quote the service as ``client`` does, without the account's secrets."""
        self._client = client

    def parse_fault(self, response: HttpResponse) -> MiaohuaFault | None:
        """The error an answer holds; None for code 0 and for an answer without an envelope."""
        document = response.json()
        if isinstance(document, dict):
            body = cast("dict[str, Any]", document)
            # A document without a code is no envelope: some answers come bare, and those are successes.
            code = _parse_code(body.get("code"))
            if code is not None:
                return MiaohuaFault(code, str(body.get("msg") or "")) if code else None
        return None if response.status < 400 else MiaohuaFault(response.status, by_status=True)

    def is_retryable(self, fault: MiaohuaFault, *, is_submit: bool) -> bool:
        """Whether asking again, at once or with a new token, may help."""
        if fault.code == RATE_LIMITED:
            return True
        if fault.code in TOKEN_CODES:
            return not (fault.by_status and fault.code == 413)  # as a status it says: too large
        if fault.code in NOT_ACCEPTED_CODES:
            return not fault.by_status
        # A read may be repeated; a submit may have been taken before the service stumbled.
        return fault.code in range(500, 600) and not is_submit

    def build_error(self, fault: MiaohuaFault, *, is_submit: bool) -> AtelierError:
        """Our error for a fault; for a submit, only ``SubmitUnconfirmed`` leaves open whether a task exists."""
        reason = self._client.quote(fault.message)
        if is_submit and fault.by_status and fault.code in UNDECIDED_STATUSES:
            return SubmitUnconfirmed(f"Miaohua answered the submit with HTTP {fault.code}.")
        if fault.code in range(500, 600):
            error_type = SubmitUnconfirmed if is_submit else ProviderUnavailable
            problem = "does not reach its own servers" if fault.code == BACKEND_LOST else "met an internal fault"
            return error_type(f"Miaohua {problem}. {reason}")
        build = (_ERRORS_BY_STATUS if fault.by_status else _ERRORS_BY_CODE).get(fault.code)
        if build is not None:
            return build(reason)
        return UpstreamFailed(f"Miaohua refused with code {fault.code}. {reason}", spent=Spent.NOTHING)


class MiaohuaLoginFaultTable(MiaohuaFaultTable):
    """The errors of the login, where a refused token can only mean the e-mail (contract: errors.600)."""

    def build_error(self, fault: MiaohuaFault, *, is_submit: bool) -> AtelierError:
        """Our error for a fault."""
        if fault.code in TOKEN_CODES and not fault.by_status:
            return _build_login_error(self._client.quote(fault.message))
        return super().build_error(fault, is_submit=is_submit)


def _parse_code(value: Any) -> int | None:
    try:
        # ``True`` would count as code 1.
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):  # the last is what 1e999 gives
        return None


def _build_login_error(reason: str) -> AtelierError:
    return AuthenticationFailed(
        f"Miaohua does not accept the account. {reason}", hint="Check MIAOHUA_EMAIL and MIAOHUA_PASSWORD."
    )


def _build_token_error(reason: str) -> AtelierError:
    return AuthenticationFailed(
        f"Miaohua does not accept the token. {reason}", hint="Try again; then check the account."
    )


def _build_account_error(reason: str) -> AtelierError:
    return AccountRefused(
        f"Miaohua does not serve this account. {reason}", hint="Ask SenseTime, or use another account."
    )


def _build_no_slot_error(reason: str) -> AtelierError:
    return RateLimited(
        f"The account has as many tasks under way at Miaohua as it may. {reason}",
        hint="Try again when one has finished.",
    )


def _build_no_balance_error(reason: str) -> AtelierError:
    return AccountRefused(
        f"The Miaohua account has no balance left. {reason}", hint="Top it up; nothing is sent again by itself."
    )


def _build_not_accepted_error(reason: str) -> AtelierError:
    return ProviderUnavailable(f"Miaohua did not take the task. {reason}", retry_after_s=BACKOFF_S)


def _build_rate_limit_error(reason: str) -> AtelierError:
    return RateLimited(f"Miaohua is asked too fast. {reason}", hint="Try again in a minute.", retry_after_s=BACKOFF_S)


def _build_invalid_error(reason: str) -> AtelierError:
    return InvalidRequest(f"Miaohua refuses the request. {reason}", hint="Change it.")


_ERRORS_BY_CODE: dict[int, Callable[[str], AtelierError]] = {
    # Numbers without a name here stand in one row of the contract each (contract: errors).
    **dict.fromkeys((101, 102, 119, 120, 121, 601), _build_login_error),
    **dict.fromkeys(TOKEN_CODES, _build_token_error),
    **dict.fromkeys(NOT_ACCEPTED_CODES, _build_not_accepted_error),
    **dict.fromkeys(UNKNOWN_TASK_CODES, lambda says: UpstreamFailed(f"Miaohua does not know this task. {says}")),
    **dict.fromkeys((414, 415, 416, 602), _build_account_error),
    **dict.fromkeys(NO_SLOT_CODES, _build_no_slot_error),
    **dict.fromkeys((124, 604), _build_no_balance_error),
    **dict.fromkeys((125, 126, 129, 400, 403), _build_invalid_error),
    118: lambda says: AccountRefused(f"The account's downloads of the day are used up. {says}", hint="Try tomorrow."),
    RATE_LIMITED: _build_rate_limit_error,
    430: lambda says: ContentRefused(f"Miaohua finds the words sensitive. {says}", hint="Change the prompt."),
    IMAGE_IN_CHECK: lambda says: ProviderUnavailable(
        f"Miaohua is still checking the picture. {says}",
        hint="Try again in a minute.",
        retry_after_s=IMAGE_CHECK_INTERVAL_S,
    ),
    IMAGE_REFUSED: lambda says: ContentRefused(
        f"Miaohua finds the picture sensitive. {says}", hint="Use another picture."
    ),
}
_ERRORS_BY_STATUS: dict[int, Callable[[str], AtelierError]] = {
    401: _build_token_error,
    403: _build_account_error,
    404: lambda _: InvalidRequest("Miaohua has nothing at that address.", hint="Check MIAOHUA_BASE_URL."),
    405: lambda _: InvalidRequest("Miaohua does not offer this."),
    413: lambda _: InvalidRequest("The request is too large for Miaohua."),
    429: _build_rate_limit_error,
}
