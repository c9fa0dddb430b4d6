"""Who comes in: the bearer token of a request becomes the principal that it acts for, or the reason why not."""

from __future__ import annotations

import contextlib
import hmac
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.principals import LOCAL, Principal
from atelier_mcp.server.scopes import READ, expand_scopes
from atelier_mcp.server.web.issuer_keys import IssuerUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.web.token_file import TokenFile

log: logging.Logger = logging.getLogger(__name__)

STATIC_PREFIX: Final = "static:"
ACCESS_CHECK_KEY: Final = "atelier.access_check"
"""Where in an ASGI scope an async function stands that says whether the request would still be let in."""
RETRY_AFTER_S: Final = 5


@dataclass(frozen=True, slots=True)
class AccessRefusal:
    """Why a request is not let in, as HTTP and OAuth say it."""

    status: HTTPStatus
    text: str
    error: str = ""
    """OAuth's word for it (RFC 6750); empty where no token came."""
    scope: str = READ
    """What a token for this request must be good for."""

    def build_headers(self, metadata_url: str = "") -> Mapping[str, str]:
        """What tells a client how to come in; ``metadata_url`` leads to the issuer, where there is one."""
        if self.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return {"Retry-After": str(RETRY_AFTER_S)}
        parts = {"error": self.error, "error_description": self.text if self.error else ""}
        parts |= {"scope": self.scope, "resource_metadata": metadata_url}
        written = ", ".join(f'{name}="{value}"' for name, value in parts.items() if value)
        return {"WWW-Authenticate": f"Bearer {written}"}


NO_TOKEN: Final = AccessRefusal(HTTPStatus.UNAUTHORIZED, "A bearer token is needed.")
WRONG_TOKEN: Final = AccessRefusal(
    HTTPStatus.UNAUTHORIZED, "This token is not valid, or not any more.", "invalid_token"
)
UNDECIDED: Final = AccessRefusal(HTTPStatus.SERVICE_UNAVAILABLE, "Tokens cannot be checked at the moment.")


class TokenVerifier(Protocol):
    """Knows the tokens of somebody else's."""

    async def verify(self, token: str) -> Principal | None:
        """Whose the token is; None where it is not good. Raises ``IssuerUnreachable``."""
        ...

    async def close(self) -> None:
        """End what is under way."""
        ...


class Authenticator:
    """Tells principals by their tokens: the operator's own, those of the token file, and an issuer's."""

    def __init__(
        self, *, http_token: str, token_file: TokenFile, is_beyond_loopback: bool, verifier: TokenVerifier | None = None
    ) -> None:
        """``http_token`` is the operator's, empty for none. Where nothing is set, loopback is open to this machine."""
        self._http_token = http_token
        self._token_file = token_file
        self._verifier = verifier
        self._is_closed = bool(http_token) or is_beyond_loopback or verifier is not None

    def needs_token(self) -> bool:
        """Whether anybody must show a token; once so, it stays so: the last one revoked must open no door."""
        self._is_closed = self._is_closed or self._token_file.exists()
        return self._is_closed

    async def authenticate(self, authorization: str) -> Principal | AccessRefusal:
        """Whose the value of an Authorization header is."""
        if not self.needs_token():
            return LOCAL
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return NO_TOKEN
        if self._is_operators(token):
            return LOCAL
        # Three parts make a signed token; those of the file have no dot.
        if self._verifier is not None and token.count(".") == 2:
            return await self._verify(token, self._verifier)
        return self._find_static(token)

    async def close(self) -> None:
        """End what is under way."""
        if self._verifier is not None:
            await self._verifier.close()

    async def _verify(self, token: str, verifier: TokenVerifier) -> Principal | AccessRefusal:
        try:
            return await verifier.verify(token) or WRONG_TOKEN
        except IssuerUnreachable:
            return UNDECIDED

    def _is_operators(self, token: str) -> bool:
        if not self._http_token:
            return False
        # As bytes, since compare_digest takes no text beyond ASCII; headers are read as Latin-1 whatever was sent.
        sent = token.encode("latin-1", "replace")
        written = [self._http_token.encode()]
        # A token beyond Latin-1 has no such form: with its letters replaced, question marks would pass for it.
        with contextlib.suppress(UnicodeEncodeError):
            written.append(self._http_token.encode("latin-1"))
        # Both in constant time, whichever is right.
        return any([hmac.compare_digest(sent, one) for one in written])  # noqa: C419

    def _find_static(self, token: str) -> Principal | AccessRefusal:
        try:
            found = self._token_file.find(token)
        except ConfigurationError as err:
            # Nobody can say who was revoked: better nobody of the file for a while than the wrong one.
            log.error("static tokens are not let in: %s", err.message)  # noqa: TRY400  # one sentence, no traceback
            return UNDECIDED
        if found is None:
            return WRONG_TOKEN
        return Principal(STATIC_PREFIX + found.name, expand_scopes(found.scopes))
