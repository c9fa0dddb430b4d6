"""SenseNova's conversations behind the provider protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.sensenova.chat_client import SensenovaChatClient
from atelier_mcp.server.providers.sensenova.miaohua_tokens import MiaohuaTokens
from atelier_mcp.server.providers.sensenova.operations.chat import SensenovaChat
from atelier_mcp.server.providers.sensenova.operations.chat_with_image import SensenovaChatWithImage
from atelier_mcp.server.providers.upstream import UpstreamProvider

if TYPE_CHECKING:
    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ModelPage
    from atelier_mcp.server.providers.sensenova.miaohua_tokens import MiaohuaTokenSource

SERVICE_NAME: Final = "SenseNova"
REQUESTS_PER_S: Final = 10.0
"""No rate is published; this keeps a burst civil."""


class SensenovaProvider(UpstreamProvider):
    """One SenseNova account. An answer comes with the submit, so that there is nothing to poll or to cancel."""

    def __init__(
        self,
        *,
        api_key: str,
        fusion_url: str,
        chat_url: str,
        clock: Clock,
        miaohua_token: MiaohuaTokenSource | None = None,
        is_local: bool = False,
        is_emulated: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Hold the key and the addresses; nothing is opened before the first request.

        Without ``miaohua_token`` only plain conversations are possible. ``is_local`` and ``is_emulated`` are set for
        the built-in emulator; ``transport`` replaces the network in tests. Raises ``ConfigurationError`` for an address
        or a key that no request could be made with.
        """
        if not chat_url.startswith(("https://", "http://")):
            raise ConfigurationError("SENSENOVA_CHAT_URL must begin with https:// or http://.")
        # A line end copied with the key would be refused by the HTTP library, in words that show the key.
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError("SENSENOVA_API_KEY cannot be sent: check how it was copied.")
        client = UpstreamClient(
            service=SERVICE_NAME,
            base_url=fusion_url,
            further_urls=(chat_url,),
            clock=clock,
            requests_per_s=REQUESTS_PER_S,
            secrets=(api_key,),
            is_local=is_local,
            transport=transport,
        )
        chat_client = SensenovaChatClient(client, api_key=api_key, clock=clock)
        self._tokens = MiaohuaTokens(client, miaohua_token)
        super().__init__(
            name="sensenova",
            account_key=api_key,
            client=client,
            operations=(
                SensenovaChat(chat_client, base_url=chat_url),
                SensenovaChatWithImage(chat_client, self._tokens, base_url=fusion_url),
            ),
            is_emulated=is_emulated,
        )

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # nothing is listed
        """Raises ``InvalidRequest``: SenseNova publishes no list."""
        raise InvalidRequest("SenseNova lists no models.", hint="Its drawing models are Miaohua's.")
