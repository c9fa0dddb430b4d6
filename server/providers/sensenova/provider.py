"""SenseNova's conversations behind the provider protocol."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Protocol

from atelier_mcp.server.errors import AuthenticationFailed, ConfigurationError, InvalidRequest
from atelier_mcp.server.providers.base import AccountId, Done, Plan
from atelier_mcp.server.providers.http import Account
from atelier_mcp.server.providers.limits import TokenBucket
from atelier_mcp.server.providers.sensenova.answers import result_of
from atelier_mcp.server.providers.sensenova.orders import USUAL_MODEL, chat_order, fusion_order
from atelier_mcp.server.providers.sensenova.talking import Talks
from atelier_mcp.server.requests.chat import Chat, ChatWithImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx2

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.providers.base import ModelPage, Report, Snapshot, UpstreamTask
    from atelier_mcp.server.providers.limits import Clock
    from atelier_mcp.server.requests.base import Request

SERVICE: Final = "SenseNova"
CAPABILITIES: Final = frozenset({"chat_with_image", "chat"})
CALLS_PER_S: Final = 10.0
"""No rate is published; this keeps a burst civil."""
LOCAL_CALLS_PER_S: Final = 2000.0


class MiaohuaToken(Protocol):
    """Where the token that pays for pictures comes from."""

    async def __call__(self, *, refused: str = "") -> str:
        """A token; with ``refused``, another one than that where there is another."""
        ...


def settled(token: str) -> MiaohuaToken:
    """A token that was given once and for all: there is no other."""

    async def given(*, refused: str = "") -> str:  # noqa: ARG001  # the protocol's signature
        return token

    return given


class SensenovaProvider:
    """One SenseNova account."""

    def __init__(
        self,
        *,
        api_key: str,
        fusion_url: str,
        chat_url: str,
        clock: Clock,
        miaohua_token: MiaohuaToken | None = None,
        local: bool = False,
        disclaimer: str = "",
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Hold the key and the addresses; nothing is opened before the first request.

        Without ``miaohua_token`` only plain conversations are possible. ``local`` and ``disclaimer`` are set for the
        built-in stand-in; ``transport`` replaces the network in tests. Raises ``ConfigurationError`` for an address
        or a key that no request could be made with.
        """
        if not chat_url.startswith(("https://", "http://")):
            raise ConfigurationError("SENSENOVA_CHAT_URL must begin with https:// or http://.")
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError("SENSENOVA_API_KEY cannot be sent: check how it was copied.")
        self.local = local
        self.disclaimer = disclaimer
        self.account = AccountId(f"sensenova:{hashlib.sha256(api_key.encode()).hexdigest()[:8]}")
        self.polls_per_s = CALLS_PER_S
        self._fusion_url = fusion_url
        self._chat_url = chat_url
        self._miaohua_token = miaohua_token
        self._http = Account(
            service=SERVICE,
            base_url=fusion_url,
            clock=clock,
            pace=TokenBucket(per_s=LOCAL_CALLS_PER_S if local else CALLS_PER_S, clock=clock),
            secrets=(api_key,),
            local=local,
            transport=transport,
        )
        self._talks = Talks(self._http, api_key=api_key, clock=clock)

    def draw_with(self, miaohua_token: MiaohuaToken) -> None:
        """Pay for pictures with these tokens, unless a way to pay was given already."""
        self._miaohua_token = self._miaohua_token or miaohua_token

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

    async def plan(self, request: Request, pictures: Mapping[str, Header]) -> Plan:  # noqa: ARG002  # there are none
        """Name the drawing model, and see that a picture could be paid for; spends nothing.

        Raises ``ConfigurationError`` without a Miaohua token, ``InvalidRequest`` for what is no conversation, and what
        getting the token raises.
        """
        if not isinstance(request, ChatWithImage):
            return Plan(_conversation(request))
        await self._token()
        return Plan(request.model_copy(update={"model": request.model or USUAL_MODEL}))

    async def submit(self, request: Request, pictures: Mapping[str, str], report: Report) -> Done:  # noqa: ARG002  # there are none
        """Hold the conversation; ``report`` hears the words as they come.

        Raises ``SubmitUnconfirmed``, with what had come, when the answer broke off; any other error means that there
        is none.
        """
        report(None, "asked")
        if isinstance(request, ChatWithImage):
            return await self._fused(request, report)
        conversation = _conversation(request)
        order = chat_order(conversation, base_url=self._chat_url)
        return result_of(await self._talks.hear(order, report), conversation, account=self._http)

    async def look(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, Snapshot]:  # noqa: ARG002  # there are none
        """No news: no task outlives its submit."""
        return {}

    async def cancel(self, task: UpstreamTask) -> bool:  # noqa: ARG002  # there are none
        """Nothing can be stopped."""
        return False

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # nothing is listed
        """Raises ``InvalidRequest``: SenseNova publishes no list."""
        raise InvalidRequest("SenseNova lists no models.", then="Its drawing models are Miaohua's.")

    async def close(self) -> None:
        """Give up connections."""
        await self._http.close()

    async def _fused(self, request: ChatWithImage, report: Report) -> Done:
        """Ask with a token, and once more with another where that one, or the key, was refused."""
        token = await self._token()
        try:
            return await self._drawn(request, token, report)
        except AuthenticationFailed:
            renewed = await self._token(refused=token)
            if renewed == token:
                raise
        return await self._drawn(request, renewed, report)

    async def _drawn(self, request: ChatWithImage, token: str, report: Report) -> Done:
        order = fusion_order(request, base_url=self._fusion_url, miaohua_token=token)
        return result_of(await self._talks.hear(order, report), request, account=self._http)

    async def _token(self, *, refused: str = "") -> str:
        if self._miaohua_token is None:
            raise ConfigurationError(
                "chat_with_image needs a Miaohua token beside the SenseNova key.",
                then="Set SENSENOVA_MIAOHUA_TOKEN, or MIAOHUA_EMAIL and MIAOHUA_PASSWORD; if ATELIER_PROVIDERS is set, "
                "miaohua must be in it.",
            )
        token = await self._miaohua_token(refused=refused)
        self._http.hide(token)
        return token


def _conversation(request: Request) -> Chat:
    if not isinstance(request, Chat):
        raise InvalidRequest(f"SenseNova cannot {request.capability.replace('_', ' ')}.")
    return request
