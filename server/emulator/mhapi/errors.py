"""MHAPI's error envelope and codes (contract: conventions.error_envelope, errors)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    import random

INVALID: Final = 3
NOT_FOUND: Final = 5
RATE: Final = 8
STATE: Final = 9
NOT_IMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAUTHENTICATED: Final = 16

# The HTTP statuses the contract infers (errors); 18 has none there and shared.http_status says 400.
HTTP_STATUS: Final = {
    1: 499,
    2: 500,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    13: 500,
    14: 503,
    15: 500,
    16: 401,
    18: 400,
}
MEANING: Final = {
    2: "Internal Error",
    3: "Invalid Params",
    4: "Deadline Exceeded",
    5: "Not Found",
    7: "Permission Denied",
    8: "Too Many Requests",
    9: "Failed Precondition",
    12: "Not Implemented",
    13: "Internal Error",
    14: "Unavailable",
    16: "Unauthenticated",
    18: "Sensitive Words",
}
# What a gateway's status would be called in the service's own codes.
CODE_OF_STATUS: Final = {400: 3, 401: 16, 403: 7, 404: 5, 409: 10, 429: 8, 500: 13, 501: 12, 502: 14, 503: 14, 504: 4}


class MhapiHttpError(Exception):
    """A request the service answers with an error; ``retry_after_s`` becomes a header."""

    def __init__(self, code: int, reason: str = "", *, retry_after_s: float | None = None) -> None:
        """Hold code and reason; the code's meaning is put in front of the reason."""
        meaning = MEANING.get(code, "Error")
        super().__init__(f"{meaning}: {reason}" if reason else meaning)
        self.code = code
        self.retry_after_s = retry_after_s


def invalid_parameter(reason: str) -> MhapiHttpError:
    """Code 3."""
    return MhapiHttpError(INVALID, reason)


def build_envelope(code: int, message: str, *, trace_id: str) -> dict[str, Any]:
    """The body of an error."""
    # One trace id and nothing else in the details (shared.error_message_text).
    return {"error": {"code": code, "message": message, "details": [f"trace_id:{trace_id}"]}}


def build_error_response(error: MhapiHttpError, *, rng: random.Random, always_200: bool) -> JSONResponse:
    """The whole answer for a refused request."""
    body = build_envelope(error.code, str(error), trace_id=f"{rng.getrandbits(128):032x}")
    # Rounded up: the header takes whole seconds, and too early would be refused again.
    headers = {} if error.retry_after_s is None else {"Retry-After": str(math.ceil(error.retry_after_s))}
    return JSONResponse(body, status_code=200 if always_200 else HTTP_STATUS[error.code], headers=headers)


def build_error_body(status: int) -> dict[str, Any]:
    """What the service says with an HTTP status."""
    code = CODE_OF_STATUS.get(status, 13)
    return build_envelope(code, MEANING.get(code, "Error"), trace_id="0" * 32)
