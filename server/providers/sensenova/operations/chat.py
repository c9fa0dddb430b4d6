"""A conversation that is answered in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.providers.operation import JobOperation
from atelier_mcp.server.providers.sensenova.completion import build_result
from atelier_mcp.server.providers.sensenova.conversation import USER, SensenovaPayload, build_conversation, build_link
from atelier_mcp.server.requests.chat import Chat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.base import SubmitCall, TaskSucceeded
    from atelier_mcp.server.providers.sensenova.chat_client import SensenovaChatClient

PATH: Final = "/nlp/v1/chat/completions"
ALTERNATIVE_PATH: Final = "/v1/nlp/chat/completions"
"""Older clients of the same host post there (contract: chat_completions.path_order)."""


class SensenovaChat(JobOperation[Chat]):
    """``chat``: the answer is the result, so that there is no task to poll."""

    request_type = Chat

    def __init__(self, chat_client: SensenovaChatClient, *, base_url: str) -> None:
        """``base_url`` is the address of the service, or of this endpoint itself."""
        self._chat_client = chat_client
        self._base_url = base_url

    async def submit(self, request: Chat, images: Mapping[str, str], call: SubmitCall) -> TaskSucceeded:  # noqa: ARG002  # there are none
        """Hold the conversation; ``report`` gets the words as they come.

        Raises ``SubmitUnconfirmed``, with what had come, when the answer broke off.
        """
        call.report(None, "asked")
        reply = await self._chat_client.complete(self._build_payload(request), call.report)
        return build_result(reply, request, client=self._chat_client.client)

    def _build_payload(self, request: Chat) -> SensenovaPayload:
        """The user is named in both ways that are printed."""
        link, fallback_link = build_link(self._base_url, PATH), build_link(self._base_url, ALTERNATIVE_PATH)
        # ``user`` beside ``user_id``: the two pages disagree (contract: chat_completions.user_key).
        body = {**build_conversation(request), "user": USER}
        return SensenovaPayload(link, body, fallback_link if fallback_link != link else None)
