"""A request to an upstream before it is signed, and its complete answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping, Sequence

    from atelier_mcp.server.clock import Clock

READ_TIMEOUT_S: Final = 30.0
MAX_RETRY_AFTER_S: Final = 300.0
"""The longest pause a service may ask for: one header must not keep an account's jobs waiting for ever."""
_DIGITS = re.compile(r"[0-9]+")
_HOST = re.compile(r"^https?://[^/]+")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON, or None where it is not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # the latter for brackets by the thousand
            return None

    def get_plain_text(self) -> str:
        """The body as text; nothing where it is a web page."""
        text = self.body.decode(errors="replace").strip()
        return "" if text.startswith("<") else text

    def get_retry_after_s(self, clock: Clock) -> float | None:
        """The Retry-After header in seconds, given as digits or as a date; at most ``MAX_RETRY_AFTER_S``.

        None where it is neither: whoever sent it may mean anything.
        """
        text = self.headers.get("retry-after", "").strip()
        after_s = float(text) if _DIGITS.fullmatch(text) else _compute_seconds_until(text, clock)
        return None if after_s is None else min(after_s, MAX_RETRY_AFTER_S)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, before it is signed."""

    method: str
    path: str
    """Relative to the account's base address, or a whole link."""
    is_submit: bool = False
    """True when repeating it could make and charge a second job."""
    query: Mapping[str, str | int] | None = None
    body: Any = None
    """Sent as JSON."""
    headers: Mapping[str, str] | None = None
    content: bytes | AsyncIterable[bytes] | None = None
    """Sent as it is; what is iterated over must begin anew each time, since a call may be sent again."""
    form: Mapping[str, str] | None = None
    files: Sequence[tuple[str, tuple[str, bytes, str]]] | Mapping[str, tuple[str, bytes, str]] | None = None
    """Multipart parts, each a name with file name, bytes and media type; in a sequence a name may stand several times.
    """
    read_timeout_s: float = READ_TIMEOUT_S

    def get_public_path(self) -> str:
        """The path without host and query, which alone may be logged: links are signed."""
        return _HOST.sub("", self.path).partition("?")[0]


def _compute_seconds_until(date: str, clock: Clock) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, (parsedate_to_datetime(date) - clock.now()).total_seconds())
    # OverflowError: a year at the end of the calendar, moved by its zone.
    except (TypeError, ValueError, OverflowError):
        return None
