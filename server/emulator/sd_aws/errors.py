"""How the middleware refuses: the gateway in front, and either of its generations (contract: conventions.envelope)."""

from __future__ import annotations

import re
from typing import Any, Final

FORBIDDEN: Final = {"message": "Forbidden"}
"""The gateway's answer to a wrong key, and to a path that is not there."""
UNAUTHORIZED: Final = {"message": "Unauthorized"}
TOO_MANY_REQUESTS: Final = {"message": "Too Many Requests"}


class SdAwsHttpError(Exception):
    """A call that is answered with an error; ``key`` is where the generation of 2023 puts the text."""

    def __init__(self, status: int, message: str | list[Any], *, key: str = "error") -> None:
        """Hold status and text."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.key = key


def is_bare(path: str) -> bool:
    """Whether a route of 2023 answers bare values and real statuses (conventions.envelope.styles)."""
    return re.search(r"/inference/(?!v2)", path) is not None


def build_legacy_body(error: SdAwsHttpError, path: str) -> dict[str, Any]:
    """The body of an error of 2023, which differs between its two kinds of routes."""
    if is_bare(path):
        return {"detail": error.message}
    return {"statusCode": error.status, error.key: error.message}


def build_error_body(status: int) -> dict[str, str]:
    """What the gateway says with an HTTP status."""
    messages = {403: "Forbidden", 429: "Too Many Requests", 504: "Endpoint request timed out"}
    return {"message": messages.get(status, "Internal server error")}
