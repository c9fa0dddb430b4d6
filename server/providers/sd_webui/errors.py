"""What a WebUI's refusals mean for us, arranged by who can mend them (contract: errors, error_envelopes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    ConfigurationError,
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
    from collections.abc import Mapping

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse

SERVICE_NAME: Final = "The WebUI"
NOT_FOUND: Final = "Not Found"
OUT_OF_MEMORY: Final = ("outofmemoryerror", "out of memory")
START_HINT: Final = "Start it with --api, or correct SD_WEBUI_URL."


@dataclass(frozen=True, slots=True)
class SdWebuiFault:
    """A refusal, or a fault inside of the service."""

    status: int
    name: str
    """The exception's class; empty for a refusal."""
    message: str
    is_own: bool
    """Whether the body is the service's and no proxy's."""
    retry_after_s: float | None = None

    @property
    def is_route_missing(self) -> bool:
        """True where the server has no such route; its API may be off altogether."""
        return self.status == 405 or (self.status == 404 and self.message == NOT_FOUND)

    @property
    def is_out_of_memory(self) -> bool:
        """True where the picture was too large for the card."""
        return any(words in f"{self.name} {self.message}".lower() for words in OUT_OF_MEMORY)


class SdWebuiRejection(Rejection):
    """The service refused; ``fault`` says how."""

    fault: SdWebuiFault


class SdWebuiFaultTable:
    """The errors of the whole family."""

    rejection_type: type[Rejection] = SdWebuiRejection

    def __init__(self, client: UpstreamClient) -> None:
        """``client`` quotes the service's words."""
        self._client = client

    def parse_fault(self, response: HttpResponse) -> SdWebuiFault | None:
        """The fault in an answer; None for success."""
        if response.status < 400:
            return None
        document, wait_s = response.json(), response.get_retry_after_s(self._client.clock)
        if not isinstance(document, dict):
            return SdWebuiFault(response.status, "", response.get_plain_text(), is_own=False, retry_after_s=wait_s)
        body = cast("dict[str, Any]", document)
        name = str(body.get("error") or "")
        is_own = bool(name) or "detail" in body
        return SdWebuiFault(response.status, name, _find_message(body), is_own, wait_s)

    def is_retryable(self, fault: SdWebuiFault, *, is_submit: bool) -> bool:
        """A read while the service is in trouble; a submit only where it was too busy to take it (variants)."""
        return fault.status == 429 or (not is_submit and fault.status >= 500 and not fault.is_own)

    def build_error(self, fault: SdWebuiFault, *, is_submit: bool) -> AtelierError:
        """Our error, by who can mend it."""
        says = self._client.quote(fault.message)
        if fault.status >= 500 or fault.status in UNDECIDED_STATUSES:
            return self._build_fault_error(fault, says, is_submit=is_submit)
        if fault.is_route_missing:
            return ConfigurationError("The WebUI has no such route: its API is off, or it is another program.",
                                      hint=START_HINT)  # fmt: skip
        match fault.status:
            case 401:
                hint = "Check SD_WEBUI_USER and SD_WEBUI_PASSWORD."
                return AuthenticationFailed(f"The WebUI does not accept user and password. {says}", hint=hint)
            case 402 | 403:
                return AccountRefused(f"The WebUI does not let this user do that. {says}")
            case 429:
                return RateLimited("The WebUI is asked too fast.", retry_after_s=fault.retry_after_s)
            case _:
                return InvalidRequest(f"The WebUI refuses the request. {says}")

    def _build_fault_error(self, fault: SdWebuiFault, says: str, *, is_submit: bool) -> AtelierError:
        """A fault in the service's own words ended the job; after anybody else's it may go on."""
        if fault.is_out_of_memory:
            return UpstreamFailed(
                "The WebUI's card has too little memory for this picture.",
                hint="Ask for a smaller size, fewer controls or advanced.batch_size 1; the same again will not help.",
                spent=Spent.NOTHING,
            )
        if fault.is_own:
            return UpstreamFailed(f"The WebUI failed. {says}", spent=Spent.NOTHING)
        if is_submit:
            return SubmitUnconfirmed(f"The WebUI, or a proxy before it, answered with HTTP {fault.status}.")
        return ProviderUnavailable(f"The WebUI answers with HTTP {fault.status}.", retry_after_s=fault.retry_after_s)


def _find_message(body: Mapping[str, Any]) -> str:
    """The words of a refusal: what stands first of ``detail``, ``errors``, ``message`` and ``error``."""
    detail: Any = body.get("detail")
    if isinstance(detail, list):
        entries = cast("list[Any]", detail)
        detail = _format_field_error(entries[0]) if entries else ""
    words = (detail, body.get("errors"), body.get("message"), body.get("error"))
    return next((str(text) for text in words if text), "")


def _format_field_error(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    error = cast("dict[str, Any]", entry)
    place = ".".join(str(part) for part in error.get("loc") or () if part != "body")
    return f"{place}: {error.get('msg', '')}" if place else str(error.get("msg", ""))
