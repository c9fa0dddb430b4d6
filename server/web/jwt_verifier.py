"""OAuth access tokens (RFC 9068): signed by the issuer for this server, and whose they are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, cast

import jwt

from atelier_mcp.server.principals import Principal
from atelier_mcp.server.scopes import expand_scopes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.web.issuer_keys import IssuerKeys

ALGORITHMS: Final = ("RS256", "ES256", "PS256", "EdDSA")
"""Signatures by key pairs alone: with HS256 anybody could sign, the public key being its secret."""
TOKEN_TYPES: Final = ("at+jwt", "jwt")
LEEWAY_S: Final = 30
NAME_PREFIX: Final = "oauth:"
MAX_NAME_CHARS: Final = 200
"""Of a name in the ledger."""


class JwtVerifier:
    """Checks the tokens of one issuer for one audience."""

    def __init__(self, keys: IssuerKeys, *, issuer: str, audience: str, tenant_claim: str = "") -> None:
        """With a ``tenant_claim`` what is made belongs to its value, and so to everybody of that tenant."""
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._tenant_claim = tenant_claim

    async def verify(self, token: str) -> Principal | None:
        """Whose the token is; None where it is not good. Raises ``IssuerUnreachable``."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS or not _is_access_token(header):
                return None
            key = await self._keys.get(str(header.get("kid", "")))
            if key is None:
                return None
            # The key knows its own algorithm, and is refused under another one's name.
            claims = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):  # the latter two: claims that are none of their kind
            return None
        return self._build_principal(claims)

    async def close(self) -> None:
        """End what is under way."""
        await self._keys.close()

    def _build_principal(self, claims: Mapping[str, Any]) -> Principal | None:
        subject, tenant = claims["sub"], claims.get(self._tenant_claim) if self._tenant_claim else None
        if not _is_name(subject) or (tenant is not None and not _is_name(tenant)):
            return None
        # A subject is unique only at its issuer, and the same person comes through several programs.
        owner = f"@{tenant}" if tenant is not None else f"#{subject}"
        client = claims.get("client_id") or claims.get("azp") or claims.get("cid") or ""
        return Principal(
            name=_shorten(f"{NAME_PREFIX}{self._issuer}{owner}"),
            scopes=expand_scopes(_list_scopes(claims)),
            subject=subject,
            client=str(client),
        )


def _is_access_token(header: Mapping[str, Any]) -> bool:
    return str(header.get("typ", "jwt")).lower().removeprefix("application/") in TOKEN_TYPES


def _is_name(value: Any) -> bool:
    """True for a text that can be written down: no database takes some of the others."""
    return isinstance(value, str) and bool(value) and value.isprintable()


def _shorten(name: str) -> str:
    if len(name) <= MAX_NAME_CHARS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{name[: MAX_NAME_CHARS - len(digest) - 1]}~{digest}"


def _list_scopes(claims: Mapping[str, Any]) -> list[str]:
    """``scope`` is a text with blanks (RFC 9068); ``scp`` a list or a text with some issuers."""
    given: Any = claims.get("scope", claims.get("scp", ""))
    if isinstance(given, list):
        return [str(one) for one in cast("list[Any]", given)]
    return str(given).split()
