"""Tokens for Miaohua: an e-mail and a password become one, which lasts for a time nobody states."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.providers.faults import Rejection, build_response_check
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.errors import MiaohuaLoginFaultTable
from atelier_mcp.server.providers.miaohua.wire import find_text

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient


class MiaohuaTokenCache:
    """The one token of an account: fetched when first needed, and anew when the service refuses it."""

    def __init__(self, client: UpstreamClient, *, email: str, password: str) -> None:
        """Hold the credentials; nothing is asked yet."""
        self._client = client
        self._credentials = {"email": email, "password": password}
        self._token = ""
        self._lock = asyncio.Lock()

    async def get_token(self, *, rejected_token: str = "") -> str:
        """The token; with ``rejected_token`` never that one again.

        Calls that are refused at the same time share one login: who comes second finds the first one's token. Raises
        ``AuthenticationFailed`` for an unknown e-mail or a wrong password, ``TransientError`` when nobody answers.
        """
        async with self._lock:
            # Another token than the rejected one was fetched while this call stood at the lock.
            if not self._token or self._token == rejected_token:
                self._token = await self._log_in()
            return self._token

    async def _log_in(self) -> str:
        """A fresh token for the account (contract: get_token)."""
        http_request = HttpRequest("POST", "/get_token", body=self._credentials)
        check_response = build_response_check(MiaohuaLoginFaultTable(self._client), http_request)
        try:
            response = await self._client.request(http_request, check_response=check_response)
        except Rejection as err:
            raise err.error from None
        token = find_text(response.json(), "token")
        if not token:
            raise ProviderUnavailable(f"{self._client.service} answered the login without a token.")
        self._client.remember_secret(token)  # before anything is quoted that could repeat it
        return token
