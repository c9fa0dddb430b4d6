"""The cookie of a person who signed in: the token itself, sealed, by which each request is let in anew.

So a session has no life of its own. It is over with the first request after its token was revoked, replaced, or has run
out at its issuer. Only who has a signing key can make a cookie, or read one.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.fernet import Fernet
    from starlette.requests import HTTPConnection

    from atelier_mcp.server.clock import Clock

PLAIN_NAME: Final = "atelier"
SECURE_NAME: Final = "__Host-atelier"
"""Over https: browsers take a cookie of such a name from this very host alone, and never from a page without TLS."""
COOKIE_NAMES: Final = (SECURE_NAME, PLAIN_NAME)
LIFETIME_S: Final = 7 * 86_400
MAX_CHARS: Final = 3900
"""Of a value; browsers keep no cookie above 4,096 bytes with its name and what is said of it."""


class SessionCookies:
    """Makes and reads the cookies of all servers that share a signing key."""

    def __init__(self, keys: Sequence[bytes], clock: Clock) -> None:
        """The first of the ``keys`` seals, all of them open; ``clock`` decides when a cookie has run out."""
        self._keys = keys
        self._clock = clock

    def build(self, token: str, *, is_secure: bool) -> str | None:
        """The ``Set-Cookie`` that keeps a token; None for one that is too long for a cookie."""
        name = SECURE_NAME if is_secure else PLAIN_NAME
        # With the name inside, a cookie made without TLS is none where TLS is.
        sealed = self._ciphers[0].encrypt_at_time(f"{name}\n{token}".encode(), self._now_s()).decode("ascii")
        return _format_cookie(name, sealed, LIFETIME_S) if len(sealed) <= MAX_CHARS else None

    def build_removal(self) -> list[str]:
        """The values of ``Set-Cookie`` that take a session from a browser, under either name."""
        return [_format_cookie(name, "", 0) for name in COOKIE_NAMES]

    def find_authorization(self, connection: HTTPConnection) -> str:
        """The Authorization header of a request, or else what its cookie stands for; empty where it has neither."""
        header = connection.headers.get("authorization", "")
        # Any other kind is for the proxy in front: browsers send it along.
        token = "" if header.lower().startswith("bearer ") else self.find_token(connection.cookies)
        return f"Bearer {token}" if token else header

    def find_token(self, cookies: Mapping[str, str]) -> str:
        """The token that a browser's cookies keep; empty where they keep none of ours that is still good."""
        for name in COOKIE_NAMES:
            # A page of a neighbouring host can set the second, and must not get in front of the first.
            if name in cookies:
                return self._open(name, cookies[name])
        return ""

    def _open(self, name: str, sealed: str) -> str:
        from cryptography.fernet import InvalidToken

        for cipher in self._ciphers if _is_canonical(sealed) else ():
            try:
                text = cipher.decrypt_at_time(sealed.encode(), LIFETIME_S, self._now_s()).decode()
            except InvalidToken:
                continue
            sealed_name, _, token = text.partition("\n")
            return token if sealed_name == name else ""
        return ""

    @cached_property
    def _ciphers(self) -> list[Fernet]:
        from cryptography.fernet import Fernet

        # Of their own for sessions: the same keys sign links to pictures.
        own_keys = [hashlib.sha256(b"atelier gallery sessions\n" + key).digest() for key in self._keys]
        return [Fernet(base64.urlsafe_b64encode(key)) for key in own_keys]

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())


def _is_canonical(sealed: str) -> bool:
    """Whether a value is written as we write one: decoders pass over much that does not belong there."""
    if len(sealed) > MAX_CHARS:
        return False
    try:
        return base64.urlsafe_b64encode(base64.urlsafe_b64decode(sealed)).decode() == sealed
    except ValueError:
        return False


def _format_cookie(name: str, value: str, lifetime_s: int) -> str:
    secure = "; Secure" if name == SECURE_NAME else ""
    return f"{name}={value}; Path=/; Max-Age={lifetime_s}; HttpOnly; SameSite=Strict{secure}"
