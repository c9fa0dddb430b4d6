"""Tokens for Miaohua: an e-mail and a password become one, which lasts for a time nobody states."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.errors import MiaohuaRejection, build_error, build_response_check
from atelier_mcp.server.providers.miaohua.wire import find_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.providers.http import UpstreamClient


class MiaohuaTokenCache:
    """The one token of an account: fetched when first needed, and anew when the service refuses it."""

    def __init__(self, log_in: Callable[[], Awaitable[str]]) -> None:
        """Hold the way to get a token; nothing is asked yet."""
        self._log_in = log_in
        self._token = ""
        self._lock = asyncio.Lock()

    async def get_token(self, *, rejected_token: str = "") -> str:
        """The token; with ``rejected_token`` never that one again.

        Calls that are refused at the same time share one login: who comes second finds the first one's token. Raises
        what logging in raises.
        """
        async with self._lock:
            if not self._token or self._token == rejected_token:
                self._token = await self._log_in()
            return self._token


async def log_in(client: UpstreamClient, *, email: str, password: str) -> str:
    """A fresh token for an account (contract: get_token).

    Raises ``AuthenticationFailed`` for an unknown e-mail or a wrong password, ``TransientError`` when nobody answers.
    """
    http_request = HttpRequest("POST", "/get_token", body={"email": email, "password": password})
    try:
        response = await client.request(http_request, check_response=build_response_check(http_request, client))
    except MiaohuaRejection as err:
        raise build_error(err.fault, client=client, is_submit=False) from None
    token = find_text(response.json(), "token")
    if not token:
        raise ProviderUnavailable(f"{client.service} answered the login without a token.")
    client.remember_secret(token)
    return token
