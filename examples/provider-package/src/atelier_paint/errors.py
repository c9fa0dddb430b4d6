"""What Paint's refusals look like, and which of our errors each stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    SubmitUnconfirmed,
)
from atelier_mcp.server.providers.faults import Rejection

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse


@dataclass(frozen=True, slots=True)
class PaintFault:
    """An answer that is an error: ``{"error": {"code": "forbidden_words", "message": "..."}}``."""

    status: int
    code: str
    message: str
    retry_after_s: float | None

    @property
    def is_undecided(self) -> bool:
        """True where a job may have been accepted all the same."""
        return self.status >= 500 or self.status in (408, 409)


class PaintRejection(Rejection):
    """Paint has refused."""

    fault: PaintFault


class PaintFaultTable:
    """Paint's faults as our errors; it is a ``FaultTable``."""

    rejection_type: type[Rejection] = PaintRejection

    def __init__(self, client: UpstreamClient) -> None:
        """Quote the service's words through ``client``, which strikes out the key."""
        self._client = client

    def parse_fault(self, response: HttpResponse) -> PaintFault | None:
        """The fault in an answer; None for success."""
        if response.status < 400:
            return None
        match response.json():
            case {"error": {"code": str(code), "message": str(message)}}:
                pass
            case _:
                code, message = "", response.get_plain_text()
        return PaintFault(response.status, code, message, response.get_retry_after_s(self._client.clock))

    def is_retryable(self, fault: PaintFault, *, is_submit: bool) -> bool:
        """A read while the service is in trouble; a submit only where it was certainly not accepted."""
        return fault.status == 429 or (fault.is_undecided and not is_submit)

    def build_error(self, fault: PaintFault, *, is_submit: bool) -> AtelierError:
        """Our error, by who can mend it."""
        says = self._client.quote(fault.message)
        if fault.is_undecided:
            error_class = SubmitUnconfirmed if is_submit else ProviderUnavailable
            return error_class(f"Paint has a fault inside. {says}", retry_after_s=fault.retry_after_s)
        match fault.status, fault.code:
            case 429, _:
                return RateLimited("Paint is asked too fast.", retry_after_s=fault.retry_after_s)
            case 401, _:
                return AuthenticationFailed(f"Paint does not accept the key. {says}", hint="Check PAINT_API_KEY.")
            case 402 | 403, _:
                return AccountRefused(f"Paint does not let this account do that. {says}")
            case _, "forbidden_words":
                return ContentRefused(f"Paint will not draw that. {says}", hint="Use other words.")
            case _:
                return InvalidRequest(f"Paint refuses the request. {says}")
