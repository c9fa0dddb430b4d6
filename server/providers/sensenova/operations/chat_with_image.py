"""A conversation that is answered in words, or with an image that Miaohua draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AuthenticationFailed
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.operation import JobOperation
from atelier_mcp.server.providers.sensenova.completion import build_result
from atelier_mcp.server.providers.sensenova.conversation import (
    SensenovaPayload,
    build_conversation,
    build_link,
    drop_none,
)
from atelier_mcp.server.requests.chat import ChatWithImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ProgressCallback, SubmitCall, TaskSucceeded
    from atelier_mcp.server.providers.sensenova.chat_client import SensenovaChatClient
    from atelier_mcp.server.providers.sensenova.miaohua_tokens import MiaohuaTokens

PATH: Final = "/v1/fusion/chat-with-image"
DEFAULT_MODEL: Final = "Artist_V0.1.3"
DEFAULT_GUIDANCE: Final = 7


class SensenovaChatWithImage(JobOperation[ChatWithImage]):
    """``chat_with_image``: the answer is the result, so that there is no task to poll."""

    request_type = ChatWithImage

    def __init__(self, chat_client: SensenovaChatClient, tokens: MiaohuaTokens, *, base_url: str) -> None:
        """``base_url`` is the address of the service, or of this endpoint itself."""
        self._chat_client = chat_client
        self._tokens = tokens
        self._base_url = base_url

    async def plan(self, request: ChatWithImage, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # there are none
        """Name the drawing model, and see that an image could be paid for.

        Raises ``ConfigurationError`` without a Miaohua token, and what getting one raises.
        """
        await self._tokens.get()
        return Plan(request.model_copy(update={"model": request.model or DEFAULT_MODEL}), needs_seed=request.draw)

    async def submit(
        self,
        request: ChatWithImage,
        images: Mapping[str, str],  # noqa: ARG002  # there are none
        call: SubmitCall,
    ) -> TaskSucceeded:
        """Ask with a token, and once more with another where that one, or the key, was refused.

        A refusal does not say which of the two it means. Raises ``SubmitUnconfirmed``, with what had come, when the
        answer broke off.
        """
        call.report(None, "asked")
        token = await self._tokens.get()
        try:
            return await self._send(request, token, call.report)
        except AuthenticationFailed:
            new_token = await self._tokens.get(rejected_token=token)
            if new_token == token:
                raise
        return await self._send(request, new_token, call.report)

    async def _send(self, request: ChatWithImage, token: str, report: ProgressCallback) -> TaskSucceeded:
        reply = await self._chat_client.complete(self._build_payload(request, token), report)
        return build_result(reply, request, client=self._chat_client.client)

    def _build_payload(self, request: ChatWithImage, token: str) -> SensenovaPayload:
        """What an intact table requires is always sent (contract: required_column).

        No control is ever chosen, for its image cannot be passed (contract: controlnet_without_image).
        """
        body = {
            **build_conversation(request),
            "output_img": request.draw,
            "mh_key": token,
            "mh_model_name": request.model or DEFAULT_MODEL,
            "mh_output_size": f"{request.width}x{request.height}",
            "mh_scale": request.guidance or DEFAULT_GUIDANCE,
            "mh_ddim_steps": request.steps,
            "mh_select_seed": request.seed,
            "mh_add_prompt": request.enhance_prompt or None,
        }
        return SensenovaPayload(build_link(self._base_url, PATH), drop_none(body))
