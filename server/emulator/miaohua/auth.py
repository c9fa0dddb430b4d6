"""Who is calling: a token got with e-mail and password (contract: get_token).

A token names its account and the time of its issue and is signed with the folder's key, so that every instance on the
folder knows it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.miaohua.errors import (
    NO_TOKEN,
    TOKEN_EXPIRED,
    TOKEN_UNKNOWN,
    TOKEN_UNREADABLE,
    TOO_FAST,
    UNKNOWN_EMAIL,
    WRONG_PASSWORD,
    MiaohuaHttpError,
)
from atelier_mcp.server.emulator.miaohua.switches import MiaohuaSwitches

if TYPE_CHECKING:
    from starlette.datastructures import UploadFile
    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.state import EmulatorState


class TokenIssuer:
    """Issues tokens, knows them again, and lets requests in that carry one."""

    def __init__(self, emulator: EmulatorState) -> None:
        """Serve the accounts of an emulator by its clock."""
        self._emulator = emulator

    async def admit(self, request: Request, token: str) -> Account:
        """The account of a token, counted against the rate of all its calls; raises MiaohuaHttpError."""
        account = await asyncio.to_thread(self.check, token)
        setattr(request.state, ACCOUNT, account.access_key)
        now, rate = self._emulator.clock.now(), self._emulator.settings.rate_per_s
        if self._emulator.accounts.count_call(account, now=now, rate_per_s=rate) is not None:
            raise MiaohuaHttpError(TOO_FAST)
        return account

    def issue(self, email: str, password: str) -> str:
        """A token for an account; raises MiaohuaHttpError with 101 or 102.

        Blocks on the key's file: call it in a thread.
        """
        # Which of the two was wrong is told by the code (contract: errors.101, errors.102).
        account = self._emulator.accounts.find(email)
        if account is None:
            raise MiaohuaHttpError(UNKNOWN_EMAIL)
        if not hmac.compare_digest(account.secret_key.encode(), password.encode()):
            raise MiaohuaHttpError(WRONG_PASSWORD)
        nonce = self._emulator.rng.getrandbits(32)
        claims = f"{email}\n{self._emulator.clock.now():.3f}\n{nonce:08x}"
        return f"{_encode(claims.encode())}.{self._sign(claims, account)}"

    def check(self, token: str) -> Account:
        """The account of a token; raises MiaohuaHttpError with 401, 411, 412 or 413.

        Blocks: call it in a thread.
        """
        if not token:
            raise MiaohuaHttpError(NO_TOKEN)
        claims, signature = _parse_token(token)
        email, issued, _ = claims.split("\n")
        account = self._emulator.accounts.find(email)
        # Unknown and forged look alike.
        if account is None or not hmac.compare_digest(signature, self._sign(claims, account)):
            raise MiaohuaHttpError(TOKEN_UNKNOWN)
        lifetime_s = self._emulator.settings.get_switches(MiaohuaSwitches).token_seconds
        if self._emulator.clock.now() >= float(issued) + lifetime_s:
            raise MiaohuaHttpError(TOKEN_EXPIRED)
        return account

    def _sign(self, claims: str, account: Account) -> str:
        """Of the folder and the account's password: a new password makes its tokens illegal."""
        key = self._emulator.store.load_link_key() + account.secret_key.encode()
        return hmac.new(key, claims.encode(), hashlib.sha256).hexdigest()[:32]


async def read_token(request: Request, part: UploadFile | str | None, *, takes_header: bool) -> str:
    """From the header, or from the older part, a file or not; the header wins (upload_img.upload_auth)."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    if takes_header and scheme.lower() == "bearer" and token.strip():
        return token.strip()
    text = part or "" if isinstance(part, str | None) else (await part.read()).decode("utf-8", "replace")
    if not text.strip():
        raise MiaohuaHttpError(NO_TOKEN)
    return text.strip()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _parse_token(token: str) -> tuple[str, str]:
    """The claims, as text of three lines, and the signature; raises MiaohuaHttpError with 412."""
    encoded, _, signature = token.partition(".")
    try:
        claims = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        raise MiaohuaHttpError(TOKEN_UNREADABLE) from None
    if claims.count("\n") != 2 or not signature.isascii():
        raise MiaohuaHttpError(TOKEN_UNREADABLE)
    return claims, signature
