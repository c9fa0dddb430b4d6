"""Tokens for Miaohua: an e-mail and a password become one, which lasts for a time nobody states."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.providers.http import Call
from atelier_mcp.server.providers.miaohua.errors import Rejected, error_for, judge_for
from atelier_mcp.server.providers.miaohua.wire import text_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.providers.http import Account


class Tokens:
    """The one token of an account: fetched when first needed, and anew when the service refuses it."""

    def __init__(self, log_in: Callable[[], Awaitable[str]]) -> None:
        """Hold the way to get a token; nothing is asked yet."""
        self._log_in = log_in
        self._token = ""
        self._asking = asyncio.Lock()

    async def current(self, *, refused: str = "") -> str:
        """The token; with ``refused`` never that one again.

        Calls that are refused at the same time share one login: who comes second finds the first one's token. Raises
        what logging in raises.
        """
        async with self._asking:
            if not self._token or self._token == refused:
                self._token = await self._log_in()
            return self._token


async def log_in(http: Account, *, email: str, password: str) -> str:
    """A fresh token for an account (contract: get_token).

    Raises ``AuthenticationFailed`` for an unknown e-mail or a wrong password, ``TransientError`` when nobody answers.
    """
    call = Call("POST", "/get_token", body={"email": email, "password": password})
    try:
        answer = await http.request(call, judge=judge_for(call, http))
    except Rejected as err:
        raise error_for(err.fault, account=http, submit=False) from None
    token = text_in(answer.json(), "token")
    if not token:
        raise ProviderUnavailable(f"{http.service} answered the login without a token.")
    http.hide(token)
    return token
