"""What an answer means by its HTTP status alone, for a service without an error format of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    SubmitUnconfirmed,
)

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http_messages import HttpResponse

UNDECIDED_STATUSES: Final = frozenset({408, 409, 460, 499})
"""Refusals that may follow an acceptance: somebody ran out of time, the service has the job already, or (460 and 499,
said by load balancers) the caller was taken for gone."""


def build_status_error(
    response: HttpResponse, *, service: str, reason: str, is_submit: bool, retry_after_s: float | None
) -> AtelierError | None:
    """The error an answer stands for; None below 400. ``reason`` is the service's quoted words.

    Only ``SubmitUnconfirmed`` leaves open whether a submit was accepted; the other refusals certainly came before.
    """
    status = response.status
    if status < 400:
        return None
    if status >= 500 or status in UNDECIDED_STATUSES:
        return _build_undecided_error(service, status, is_submit=is_submit, retry_after_s=retry_after_s)
    match status:
        case 429:
            return RateLimited(f"{service} is asked too fast.", retry_after_s=retry_after_s)
        case 401:
            return AuthenticationFailed(f"{service} does not accept the key. {reason}", hint="Check its settings.")
        # Not AuthenticationFailed: another token would not help, and none is fetched.
        case 402 | 403:
            return AccountRefused(f"{service} does not let this account do that. {reason}")
        case 404:
            hint = "Check what the call names, then the base address in the settings."
            return InvalidRequest(f"{service} has nothing at that address. {reason}", hint=hint)
        case _:
            return InvalidRequest(f"{service} refuses the request with HTTP {status}. {reason}")


def _build_undecided_error(
    service: str, status: int, *, is_submit: bool, retry_after_s: float | None
) -> SubmitUnconfirmed | ProviderUnavailable:
    if is_submit:
        return SubmitUnconfirmed(f"{service} answered the submit with HTTP {status}.")
    return ProviderUnavailable(
        f"{service} answers with HTTP {status}.", hint="Try again later.", retry_after_s=retry_after_s
    )
