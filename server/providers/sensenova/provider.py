"""SenseNova's conversations behind the provider protocol."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from atelier_mcp.server.errors import AuthenticationFailed, ConfigurationError, InvalidRequest
from atelier_mcp.server.providers.base import AccountId, Plan, TaskSucceeded
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.rate_limit import RateLimit, TokenBucket
from atelier_mcp.server.providers.sensenova.chat_client import SensenovaChatClient
from atelier_mcp.server.providers.sensenova.completion import build_result
from atelier_mcp.server.providers.sensenova.payloads import DEFAULT_MODEL, build_chat_payload, build_fusion_payload
from atelier_mcp.server.requests.chat import Chat, ChatWithImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ModelPage, ProgressCallback, TaskSnapshot, UpstreamTask
    from atelier_mcp.server.requests.base import Request

SERVICE_NAME: Final = "SenseNova"
CAPABILITIES: Final = frozenset({"chat_with_image", "chat"})
REQUESTS_PER_S: Final = 10.0
"""No rate is published; this keeps a burst civil."""
LOCAL_REQUESTS_PER_S: Final = 2000.0


class MiaohuaTokenSource(Protocol):
    """Where the token that pays for pictures comes from."""

    async def __call__(self, *, rejected_token: str = "") -> str:
        """A token; with ``rejected_token``, another one than that where there is another."""
        ...


def build_fixed_source(token: str) -> MiaohuaTokenSource:
    """A token that was given once and for all: there is no other."""

    async def get_token(*, rejected_token: str = "") -> str:  # noqa: ARG001  # the protocol's signature
        return token

    return get_token


class SensenovaProvider:
    """One SenseNova account."""

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
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError("SENSENOVA_API_KEY cannot be sent: check how it was copied.")
        self.is_local = is_local
        self.is_emulated = is_emulated
        self.account = AccountId(f"sensenova:{hashlib.sha256(api_key.encode()).hexdigest()[:8]}")
        self.poll_rate_limit = RateLimit(REQUESTS_PER_S)
        self._fusion_url = fusion_url
        self._chat_url = chat_url
        self._token_source = miaohua_token
        self._client = UpstreamClient(
            service=SERVICE_NAME,
            base_url=fusion_url,
            clock=clock,
            rate_limit=TokenBucket(per_s=LOCAL_REQUESTS_PER_S if is_local else REQUESTS_PER_S, clock=clock),
            secrets=(api_key,),
            is_local=is_local,
            transport=transport,
        )
        self._chat_client = SensenovaChatClient(self._client, api_key=api_key, clock=clock)

    @property
    def name(self) -> str:
        """The provider's name in settings and answers."""
        return "sensenova"

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be asked of it."""
        return CAPABILITIES

    @property
    def model_kinds(self) -> tuple[str, ...]:
        """None: the drawing models are Miaohua's, which lists them."""
        return ()

    def batch_size(self, kind: str) -> int:  # noqa: ARG002  # the protocol's signature
        """One: an answer comes with the submit, so that there is nothing to look at."""
        return 1

    async def plan(self, request: Request, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # there are none
        """Name the drawing model, and see that a picture could be paid for; spends nothing.

        Raises ``ConfigurationError`` without a Miaohua token, ``InvalidRequest`` for what is no conversation, and what
        getting the token raises.
        """
        if not isinstance(request, ChatWithImage):
            return Plan(_to_chat(request))
        await self._get_miaohua_token()
        return Plan(request.model_copy(update={"model": request.model or DEFAULT_MODEL}))

    async def submit(self, request: Request, images: Mapping[str, str], report: ProgressCallback) -> TaskSucceeded:  # noqa: ARG002  # there are none
        """Hold the conversation; ``report`` gets the words as they come.

        Raises ``SubmitUnconfirmed``, with what had come, when the answer broke off; any other error means that there
        is none.
        """
        report(None, "asked")
        if isinstance(request, ChatWithImage):
            return await self._complete_fusion(request, report)
        chat = _to_chat(request)
        payload = build_chat_payload(chat, base_url=self._chat_url)
        return build_result(await self._chat_client.complete(payload, report), chat, client=self._client)

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:  # noqa: ARG002  # there are none
        """Nothing: no task outlives its submit."""
        return {}

    async def cancel(self, task: UpstreamTask) -> bool:  # noqa: ARG002  # there are none
        """Nothing can be stopped."""
        return False

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # nothing is listed
        """Raises ``InvalidRequest``: SenseNova publishes no list."""
        raise InvalidRequest("SenseNova lists no models.", hint="Its drawing models are Miaohua's.")

    async def close(self) -> None:
        """Give up connections."""
        await self._client.close()

    async def _complete_fusion(self, request: ChatWithImage, report: ProgressCallback) -> TaskSucceeded:
        """Ask with a token, and once more with another where that one, or the key, was refused."""
        token = await self._get_miaohua_token()
        try:
            return await self._send_fusion(request, token, report)
        except AuthenticationFailed:
            new_token = await self._get_miaohua_token(rejected_token=token)
            if new_token == token:
                raise
        return await self._send_fusion(request, new_token, report)

    async def _send_fusion(self, request: ChatWithImage, token: str, report: ProgressCallback) -> TaskSucceeded:
        payload = build_fusion_payload(request, base_url=self._fusion_url, miaohua_token=token)
        return build_result(await self._chat_client.complete(payload, report), request, client=self._client)

    async def _get_miaohua_token(self, *, rejected_token: str = "") -> str:
        if self._token_source is None:
            raise ConfigurationError(
                "chat_with_image needs a Miaohua token beside the SenseNova key.",
                hint="Set SENSENOVA_MIAOHUA_TOKEN, or MIAOHUA_EMAIL and MIAOHUA_PASSWORD; if ATELIER_PROVIDERS is set, "
                "miaohua must be in it.",
            )
        token = await self._token_source(rejected_token=rejected_token)
        self._client.remember_secret(token)
        return token


def _to_chat(request: Request) -> Chat:
    if not isinstance(request, Chat):
        raise InvalidRequest(f"SenseNova cannot {request.capability.replace('_', ' ')}.")
    return request
