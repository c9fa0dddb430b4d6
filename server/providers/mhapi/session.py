"""Signed requests to MHAPI: its tokens are short-lived JWTs, made here with the account's secret key."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.providers.mhapi.errors import MhapiFaultTable
from atelier_mcp.server.providers.session import SignedSession

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpRequest

LIFETIME_S = 1800
"""As every sample of the vendor signs; no maximum is stated (contract: auth.lifetime)."""
CLOCK_SKEW_S = 5
RENEW_BEFORE_S = 300


class MhapiSession(SignedSession):
    """One account's requests; a token is kept while it is good."""

    def __init__(self, client: UpstreamClient, *, access_key: str, secret_key: str) -> None:
        """Hold the keys; the secret key is the HMAC key as it stands."""
        super().__init__(client, MhapiFaultTable(client))
        self._access_key = access_key
        self._secret_key = secret_key
        self._token = ""
        self._expires_at_s = 0

    async def get_token(self, *, rejected_token: str = "") -> str:
        """A token; raises ``ConfigurationError`` for a key that cannot be signed with."""
        # By the clock of this machine: one that is wrong gives code 16, and the error says to check it.
        is_due = self.client.clock.now().timestamp() > self._expires_at_s - RENEW_BEFORE_S
        if is_due or rejected_token == self._token:
            self._create_token()
        return self._token

    def build_token_fields(self, http_request: HttpRequest, token: str) -> dict[str, Any]:  # noqa: ARG002  # all alike
        """The Authorization header; the content type stands on every request, as in the vendor's samples."""
        return {"headers": {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}}

    def _create_token(self) -> None:
        import jwt

        now_s = int(self.client.clock.now().timestamp())
        self._expires_at_s = now_s + LIFETIME_S
        claims = {"iss": self._access_key, "exp": self._expires_at_s, "nbf": now_s - CLOCK_SKEW_S}
        try:
            with warnings.catch_warnings():  # the vendor, not we, chooses how long a secret key is
                warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
                self._token = jwt.encode(claims, self._secret_key, algorithm="HS256", headers={"typ": "JWT"})
        except jwt.InvalidKeyError:
            raise ConfigurationError("MHAPI_SECRET_KEY cannot be used to sign with: check how it was copied.") from None
