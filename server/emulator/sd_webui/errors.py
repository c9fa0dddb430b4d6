"""What a WebUI says when it refuses, in the words of its variant (contract: errors, error_envelopes)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.sd_webui.switches import WebuiVariant

OUT_OF_MEMORY: Final = "OutOfMemoryError"
_PLAIN_VARIANTS: Final = frozenset({"forge"})
"""Those whose HTTP errors hold nothing but their detail."""


class WebuiHttpError(Exception):
    """A request that is answered with an HTTP error; ``detail`` is text, or a list of what is wrong with fields."""

    def __init__(self, status: int, detail: Any, *, is_route_missing: bool = False) -> None:
        """Hold status and words; with ``is_route_missing`` every variant says only the detail."""
        super().__init__(str(detail))
        self.status = status
        self.detail: Any = detail
        self.is_route_missing = is_route_missing


class WebuiFault(Exception):
    """A fault inside of the service, HTTP 500: the name of an exception and its words."""

    def __init__(self, name: str, words: str) -> None:
        """Hold both."""
        super().__init__(words)
        self.name = name


def build_route_error() -> WebuiHttpError:
    """No such route in this server."""
    return WebuiHttpError(404, "Not Found", is_route_missing=True)


def build_field_error(place: Sequence[str], message: str, kind: str) -> WebuiHttpError:
    """HTTP 422 for one field: ``place`` is where it stands, ``kind`` the sort of the mistake."""
    return WebuiHttpError(422, [{"loc": ["body", *place], "msg": message, "type": kind}])


def build_out_of_memory_fault(words: str = "") -> WebuiFault:
    """The fault of a picture that is too large for the card."""
    return WebuiFault(OUT_OF_MEMORY, words or "CUDA out of memory. Tried to allocate 8.00 GiB.")


def build_http_error_body(error: WebuiHttpError, variant: WebuiVariant) -> dict[str, Any]:
    """The body of a refusal."""
    if error.is_route_missing or not isinstance(error.detail, str) or variant in _PLAIN_VARIANTS:
        return {"detail": error.detail}
    return {"error": "HTTPException", "detail": error.detail, "body": "", "errors": str(error)}


def build_fault_body(fault: WebuiFault, variant: WebuiVariant) -> dict[str, Any]:
    """The body of a fault inside."""
    body: dict[str, Any] = {"error": fault.name, "detail": "", "body": ""}
    if variant == "forge":
        return {**body, "message": str(fault)}
    if variant == "sdnext":
        body["code"] = 500
    return {**body, "errors": str(fault)}


def build_error_body(status: int) -> dict[str, Any]:
    """What it says with an HTTP status on order."""
    detail = {401: "Not authenticated", 404: "Not Found"}.get(status, "")
    return {"detail": detail} if detail else build_fault_body(WebuiFault("RuntimeError", "a fault on order"), "a1111")
