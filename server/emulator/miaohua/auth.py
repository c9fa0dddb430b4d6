"""Who is calling: a token got with e-mail and password (contract: get_token).

A token names its account and the time of its issue and is signed with the folder's key, so that every instance on the
folder knows it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from atelier_mcp.server.emulator.miaohua.answers import (
    NO_TOKEN,
    TOKEN_EXPIRED,
    TOKEN_UNKNOWN,
    TOKEN_UNREADABLE,
    UNKNOWN_EMAIL,
    WRONG_PASSWORD,
    Refused,
)

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.world import World


class TokenDesk:
    """Issues tokens and knows them again."""

    def __init__(self, world: World) -> None:
        """Serve the accounts of a world by its clock."""
        self._world = world

    def issue(self, email: str, password: str) -> str:
        """A token for an account; raises Refused with 101 or 102. Blocks on the key's file: call it in a thread."""
        account = self._world.accounts.find(email)
        if account is None:
            raise Refused(UNKNOWN_EMAIL)
        if not hmac.compare_digest(account.secret_key.encode(), password.encode()):
            raise Refused(WRONG_PASSWORD)
        nonce = self._world.dice.getrandbits(32)
        claims = f"{email}\n{self._world.clock.now():.3f}\n{nonce:08x}"
        return f"{_encoded(claims.encode())}.{self._signature(claims, account)}"

    def check(self, token: str) -> Account:
        """The account of a token; raises Refused with 401, 411, 412 or 413. Blocks: call it in a thread."""
        if not token:
            raise Refused(NO_TOKEN)
        claims, signature = _read(token)
        email, issued, _ = claims.split("\n")
        account = self._world.accounts.find(email)
        if account is None or not hmac.compare_digest(signature, self._signature(claims, account)):
            raise Refused(TOKEN_UNKNOWN)
        if self._world.clock.now() >= float(issued) + self._world.settings.miaohua.token_seconds:
            raise Refused(TOKEN_EXPIRED)
        return account

    def _signature(self, claims: str, account: Account) -> str:
        """Of the folder and the account's password: a new password makes its tokens illegal."""
        key = self._world.store.link_key() + account.secret_key.encode()
        return hmac.new(key, claims.encode(), hashlib.sha256).hexdigest()[:32]


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _read(token: str) -> tuple[str, str]:
    """The claims, as text of three lines, and the signature; raises Refused with 412."""
    encoded, _, signature = token.partition(".")
    try:
        claims = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        raise Refused(TOKEN_UNREADABLE) from None
    if claims.count("\n") != 2 or not signature.isascii():
        raise Refused(TOKEN_UNREADABLE)
    return claims, signature
