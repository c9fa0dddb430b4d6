"""Refusals of OpenAI-compatible servers: what each means for the money, and who can mend it (contract: errors)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    ConfigurationError,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    Spent,
    SubmitUnconfirmed,
    UpstreamFailed,
)
from atelier_mcp.server.providers.openai_images.answers import format_reason
from atelier_mcp.server.providers.status_check import UNDECIDED_STATUSES

if TYPE_CHECKING:
    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse
    from atelier_mcp.server.providers.openai_images.servers import ServerDialect

_NO_MONEY: Final = (
    "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded", "billing_hard_limit_reached",
)  # fmt: skip
_BLOCKED: Final = (
    "content_policy_violation", "contentFilter", "InputTextSensitiveContentDetected",
    "InputImageSensitiveContentDetected", "moderation_blocked", "ResponsibleAIPolicyViolation",
)  # fmt: skip
_BLOCKED_RESULT: Final = ("OutputImageSensitiveContentDetected",)
_CERTAIN_STATUSES: Final = (401, 403, 404, 405, 413, 415, 422, 429)
"""Refusals by status alone, whoever says so: a proxy that answers one has passed nothing on."""
_OVERLOADED: Final = re.compile(r"slow_?down|overload", re.IGNORECASE)
_DELAY: Final = re.compile(r"try again in (\d+(?:\.\d+)?)\s*(ms|s|m)\b", re.IGNORECASE)
_VIOLATIONS: Final = re.compile(r"safety_violations=\[([^\]]*)\]")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class OpenaiFault:
    """An answer that is no success."""

    status: int
    message: str = ""
    code: str = ""
    param: str = ""
    stage: str = ""
    """Where moderation blocked it: ``input`` or ``output``."""
    categories: tuple[str, ...] = ()
    is_api_error: bool = False
    """It is the API's own JSON, and not a gateway's page."""
    retry_after_s: float | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the work had been begun, so that it may cost something."""
        if self.code in _BLOCKED_RESULT or (self.code == "moderation_blocked" and self.stage == "output"):
            return True
        return self.status == 500 and self.is_api_error

    @property
    def is_undecided(self) -> bool:
        """Whether nobody knows what became of the call."""
        if self.status == 503:
            return not (self.is_api_error and _OVERLOADED.search(f"{self.code} {self.message}"))
        if self.status in UNDECIDED_STATUSES or self.status > 500:
            return True
        return not self.is_api_error and self.status not in _CERTAIN_STATUSES


def parse_fault(response: HttpResponse, *, clock: Clock) -> OpenaiFault | None:
    """The fault in an answer; None for success."""
    if response.status < 400:
        return None
    wait_s = _parse_wait(response, clock)
    document: Any = response.json()
    # Gemini wraps its error in an array.
    if isinstance(document, list):
        document = next(iter(cast("list[Any]", document)), None)
    match cast("dict[str, Any]", document) if isinstance(document, dict) else None:
        case {"error": {"message": _} as error} | {"detail": {"error": {"message": _} as error}}:
            return _read_error(response.status, error, wait_s)
        case {"error": error} if error:
            return OpenaiFault(response.status, format_reason(error), is_api_error=True, retry_after_s=wait_s)
        case {"detail": [{"msg": str(message), "loc": [*_, param]}, *_]}:
            return OpenaiFault(response.status, message, param=str(param), is_api_error=True, retry_after_s=wait_s)
        case {"detail": str(message)} | {"message": str(message)}:
            return OpenaiFault(response.status, message, is_api_error=True, retry_after_s=wait_s)
        case _:
            return OpenaiFault(response.status, response.get_plain_text(), retry_after_s=wait_s)


def build_error(fault: OpenaiFault, server: ServerDialect, client: UpstreamClient, *, suffix: str = "") -> AtelierError:
    """Our error for a fault of a call that draws; only ``SubmitUnconfirmed`` leaves open what became of it.

    ``suffix`` is that of the endpoint's settings, which some errors name.
    """
    name, says = client.service, client.quote(fault.message)
    if fault.status in server.throttle_statuses and fault.status == 503:
        return ProviderUnavailable(f"{name} is busy or still starting. {says}", retry_after_s=fault.retry_after_s)
    if fault.is_undecided:
        return SubmitUnconfirmed(f"{name} gave up, or something on the way did; the drawing may go on. {says}")
    if fault.status == 503:
        return ProviderUnavailable(f"{name} is overloaded. {says}", retry_after_s=fault.retry_after_s)
    if fault.code in _NO_MONEY:
        return AccountRefused(f"{name}: there is no money or quota left. {says}", hint="Top up the account.")
    if fault.code in (*_BLOCKED, *_BLOCKED_RESULT):
        return _build_content_error(fault, name, says)
    if fault.is_accepted:
        return UpstreamFailed(f"{name} failed while it drew. {says}", spent=Spent.MAYBE)
    return _build_refusal(fault, name, says, suffix)


def _build_refusal(fault: OpenaiFault, name: str, says: str, suffix: str) -> AtelierError:
    match fault.status, fault.code:
        case 429, _:
            return RateLimited(f"{name} is asked too fast. {says}", retry_after_s=fault.retry_after_s)
        case 401, _:
            return AuthenticationFailed(
                f"{name} does not accept the key. {says}", hint=f"Check OPENAI_API_KEY{suffix}."
            )
        case 402 | 403, _:
            return AccountRefused(f"{name} does not let this account do that. {says}")
        case _, "model_not_found":
            return InvalidRequest(
                f"model: {name} has none of that name, or not for this account. {says}",
                hint="list_models shows those there are.",
            )
        case 404, _:
            hint = f"Check OPENAI_BASE_URL{suffix}."
            return ConfigurationError(f"{name} has nothing at that address. {says}", hint=hint)
        case 413, _:
            return InvalidRequest(f"The pictures are too large for {name}.", hint="Make them smaller first.")
        case _:
            return InvalidRequest(f"{name} refuses the request. {says}", hint="Change it.")


def _build_content_error(fault: OpenaiFault, name: str, says: str) -> ContentRefused:
    categories = fault.categories or tuple(
        word.strip(" '\"") for word in _find(_VIOLATIONS, fault.message).split(",") if word.strip()
    )
    why = f" ({', '.join(categories)})" if categories else ""
    if fault.is_accepted:
        return ContentRefused(
            f"{name} has drawn it and keeps it back{why}. {says}", spent=Spent.MAYBE, hint="Change the prompt."
        )
    return ContentRefused(f"{name} will not draw that{why}. {says}", hint="Change the prompt or the picture.")


def _read_error(status: int, error: dict[str, Any], wait_s: float | None) -> OpenaiFault:
    inner: dict[str, Any] = error.get("inner_error") or error.get("innererror") or {}
    details: dict[str, Any] = error.get("moderation_details") or {}
    message = str(error["message"] or "")
    return OpenaiFault(
        status,
        message,
        code=str(inner.get("code") or error.get("code") or error.get("type") or ""),
        param=str(error.get("param") or ""),
        stage=str(details.get("moderation_stage") or ""),
        categories=tuple(str(category) for category in details.get("categories") or ()),
        is_api_error=True,
        retry_after_s=wait_s if wait_s is not None else _parse_delay(message),
    )


def _parse_wait(response: HttpResponse, clock: Clock) -> float | None:
    """The delay by the headers, of which the finer one goes first."""
    milliseconds = response.headers.get("retry-after-ms", "")
    if milliseconds.replace(".", "", 1).isdigit():
        return float(milliseconds) / 1000
    return response.get_retry_after_s(clock)


def _parse_delay(message: str) -> float | None:
    """The delay that the words name, where no header does (contract: rate.headers)."""
    found = _DELAY.search(message)
    return None if found is None else float(found[1]) * _SECONDS[found[2].lower()]


def _find(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return "" if found is None else found[1]
