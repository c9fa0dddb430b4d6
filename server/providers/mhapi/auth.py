"""Tokens for MHAPI: short-lived JWTs, signed here with the account's secret key."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ConfigurationError

if TYPE_CHECKING:
    from atelier_mcp.server.clock import Clock

LIFETIME_S = 1800
"""As every sample of the vendor signs; no maximum is stated (contract: auth.lifetime)."""
CLOCK_SKEW_S = 5
RENEW_BEFORE_S = 300


class MhapiTokenSigner:
    """Signs tokens and keeps the last one while it is good."""

    def __init__(self, *, access_key: str, secret_key: str, clock: Clock) -> None:
        """Hold the keys; the secret key is the HMAC key as it stands."""
        self._access_key = access_key
        self._secret_key = secret_key
        self._clock = clock
        self._token = ""
        self._expires_at_s = 0

    def build_headers(self, *, rejected_header: str | None = None) -> dict[str, str]:
        """The Authorization header; with ``rejected_header`` never the one of those headers again."""
        is_due = self._clock.now().timestamp() > self._expires_at_s - RENEW_BEFORE_S
        if is_due or rejected_header == f"Bearer {self._token}":
            self._sign()
        return {"Authorization": f"Bearer {self._token}"}

    def _sign(self) -> None:
        import jwt

        now_s = int(self._clock.now().timestamp())
        self._expires_at_s = now_s + LIFETIME_S
        claims = {"iss": self._access_key, "exp": self._expires_at_s, "nbf": now_s - CLOCK_SKEW_S}
        try:
            with warnings.catch_warnings():  # the vendor, not we, chooses how long a secret key is
                warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
                self._token = jwt.encode(claims, self._secret_key, algorithm="HS256", headers={"typ": "JWT"})
        except jwt.InvalidKeyError:
            raise ConfigurationError("MHAPI_SECRET_KEY cannot be used to sign with: check how it was copied.") from None
