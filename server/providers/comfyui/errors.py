"""What ComfyUI's refusals look like, and which of our errors each stands for (contract: errors)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import (
    AccountRefused,
    AtelierError,
    AuthenticationFailed,
    ImageRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    SubmitUnconfirmed,
)
from atelier_mcp.server.providers.comfyui.graph import read_object
from atelier_mcp.server.providers.faults import Rejection
from atelier_mcp.server.providers.status_check import UNDECIDED_STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpResponse

MAX_NODE_ERRORS: Final = 4
NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class ComfyuiFault:
    """An answer that is an error."""

    status: int
    message: str
    retry_after_s: float | None = None
    is_page: bool = False
    """Whether it is a web page, which ComfyUI never answers a call with."""

    @property
    def is_undecided(self) -> bool:
        """True where a job may have been queued all the same."""
        return self.status >= 500 or self.status in UNDECIDED_STATUSES


class ComfyuiRejection(Rejection):
    """ComfyUI has refused."""

    fault: ComfyuiFault


class ComfyuiFaultTable:
    """ComfyUI's faults as our errors; it is a ``FaultTable``."""

    rejection_type: type[Rejection] = ComfyuiRejection

    def __init__(self, client: UpstreamClient) -> None:
        """Quote the service's words through ``client``."""
        self._client = client

    def parse_fault(self, response: HttpResponse) -> ComfyuiFault | None:
        """The fault in an answer; None for success."""
        if response.status < 400:
            return None
        message = format_refusal(read_object(response.json()))
        retry_after_s = response.get_retry_after_s(self._client.clock)
        is_page = response.body.lstrip().startswith(b"<")
        return ComfyuiFault(response.status, message or response.get_plain_text(), retry_after_s, is_page)

    def is_retryable(self, fault: ComfyuiFault, *, is_submit: bool) -> bool:
        """A read while the service is in trouble; a submit only where it was certainly not accepted."""
        return fault.status == 429 or (fault.is_undecided and not is_submit)

    def build_error(self, fault: ComfyuiFault, *, is_submit: bool) -> AtelierError:
        """Our error, by who can mend it."""
        says = self._client.quote(fault.message)
        if fault.is_undecided:
            error_class = SubmitUnconfirmed if is_submit else ProviderUnavailable
            return error_class(f"ComfyUI answers with HTTP {fault.status}. {says}", retry_after_s=fault.retry_after_s)
        match fault.status:
            case 429:
                return RateLimited("ComfyUI is asked too fast.", retry_after_s=fault.retry_after_s)
            case 401:
                return AuthenticationFailed(
                    f"ComfyUI does not accept the key. {says}", hint="Check COMFYUI_URL and COMFYUI_API_KEY."
                )
            case 402 | 403:
                return AccountRefused(
                    f"ComfyUI does not allow that. {says}", hint="Check COMFYUI_API_KEY and the account behind it."
                )
            case 413:
                return ImageRefused(f"The picture is too large for ComfyUI. {says}", hint="Make it smaller.")
            case 404:
                return InvalidRequest(f"ComfyUI has nothing at that address. {says}", hint="Check COMFYUI_URL.")
            case _:
                return InvalidRequest(f"ComfyUI refuses the workflow. {says}", hint="Change what it names.")


def format_refusal(document: Mapping[str, Any]) -> str:
    """What an answer says of a workflow, node by node: ``Prompt has no outputs; CheckpointLoaderSimple: ...``.

    (contract: errors.400)
    """
    if texts := format_node_errors(document.get("node_errors")):
        return "; ".join(texts)  # what the error as a whole says is the same once more
    match document.get("error"):
        case {"message": str(message), **rest}:
            return ": ".join(part for part in (message, str(rest.get("details") or "")) if part)
        case str(message):
            return message
        case _:
            return str(document.get("message") or "")


def format_node_errors(node_errors: Any) -> list[str]:
    """One text for each node that was refused, the first few; nothing where there is none.

    No errors are ``{}`` on some servers and ``[]`` on others (contract: comfy.node_errors).
    """
    nodes = [read_object(node) for node in read_object(node_errors).values()]
    texts = [f"{node.get('class_type')}: {_join_reasons(node['errors'])}" for node in nodes if node.get("errors")]
    return texts[:MAX_NODE_ERRORS]


def _join_reasons(errors: Any) -> str:
    """Message and details of each error of a node."""
    found = [read_object(error) for error in (errors if isinstance(errors, list) else ())]  # pyright: ignore[reportUnknownVariableType]  # JSON
    parts = [(str(error.get("message") or "refused"), error.get("details")) for error in found]
    return ", ".join(f"{message} ({details})" if details else message for message, details in parts)
