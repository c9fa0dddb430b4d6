"""How the middleware refuses: the gateway in front, the code, code that crashed (contract: conventions.envelope)."""

from __future__ import annotations

from typing import Any, Final

FORBIDDEN: Final = "Forbidden"
"""The gateway's word for a wrong key."""
NO_ROUTE: Final = "Missing Authentication Token"
"""The gateway's word for a path or a verb there is not, said before it looks at the key."""
UNAUTHORIZED: Final = "Unauthorized"
TOO_MANY_REQUESTS: Final = "Too Many Requests"
CRASHED: Final = "Internal server error"
TIMED_OUT: Final = "Endpoint request timed out"
INVALID_BODY: Final = "Invalid request body"


class GatewayError(Exception):
    """A refusal of the gateway, before or instead of the code."""

    def __init__(self, status: int, message: str) -> None:
        """Hold status and text."""
        super().__init__(message)
        self.status = status
        self.message = message


class SdAwsHttpError(Exception):
    """A refusal of the code.

    ``key`` is where the API of 2023 puts the text, ``more`` what it puts beside; ``data`` is a text that v1.4 puts
    there instead of the message. Without a message the body has none.
    """

    def __init__(
        self,
        status: int,
        message: Any,
        *,
        key: str = "error",
        more: dict[str, Any] | None = None,
        data: str | None = None,
    ) -> None:
        """Hold status and text."""
        super().__init__(message)
        self.status = status
        self.message: Any = message
        self.key = key
        self.more: dict[str, Any] = more or {}
        self.data = data


class CodeFault(Exception):
    """Code that crashed; ``kind`` is the name of the exception (contract: conventions.envelope.styles.fault)."""

    def __init__(self, message: str, kind: str = "Exception") -> None:
        """Hold kind and text."""
        super().__init__(message)
        self.kind = kind
        self.message = message


def build_error_body(status: int) -> dict[str, str]:
    """What the gateway says with an HTTP status."""
    messages = {403: FORBIDDEN, 429: TOO_MANY_REQUESTS, 504: TIMED_OUT}
    return {"message": messages.get(status, CRASHED)}
