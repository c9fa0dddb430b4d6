"""An OpenAI-compatible endpoint behind the provider protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.providers.base import ModelPage, ServiceReport
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.openai_images.drawing import OpenaiDrawing
from atelier_mcp.server.providers.openai_images.model_list import KIND, OpenaiModelList
from atelier_mcp.server.providers.openai_images.operations.generate import OpenaiGeneration
from atelier_mcp.server.providers.openai_images.operations.inpaint import OpenaiInpainting
from atelier_mcp.server.providers.openai_images.report import build_report_words
from atelier_mcp.server.providers.openai_images.servers import find_server
from atelier_mcp.server.providers.openai_images.session import OpenaiSession
from atelier_mcp.server.providers.upstream import UpstreamProvider

if TYPE_CHECKING:
    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.openai_images.servers import ServerDialect

DEFAULT_BASE_URL: Final = "https://api.openai.com/v1"
REQUESTS_PER_S: Final = 2.0
"""Limits are by the minute and not published per key; this keeps a burst civil."""


class OpenaiProvider(UpstreamProvider):
    """One endpoint. A call is the job: there is nothing to poll, and nothing can be stopped once it was sent.

    Whether a dropped connection stops the work is not stated, so that a cancelled job is read to its end
    (contract: billing.disconnect).
    """

    def __init__(
        self,
        *,
        name: str,
        api_key: str,
        clock: Clock,
        base_url: str = "",
        model: str = "",
        server: str = "",
        is_local: bool = False,
        is_emulated: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Hold key and address; nothing is opened before the first request.

        ``model`` is drawn with where a call names none; ``server`` is a name of ``SERVERS`` where the address does not
        tell. Raises ``ConfigurationError`` for an address or a key that no request could be made with.
        """
        suffix = name.removeprefix("openai_images")
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError(f"OPENAI_API_KEY{suffix} cannot be sent: check how it was copied.")
        address = (base_url or DEFAULT_BASE_URL).rstrip("/")
        self.server: ServerDialect = find_server(address, server, suffix=suffix)
        client = UpstreamClient(
            service=self.server.title if self.server.id != "relay" else "The OpenAI-compatible service",
            base_url=address,
            clock=clock,
            requests_per_s=REQUESTS_PER_S,
            secrets=(api_key,) if api_key else (),
            # A server of the user's own may be one that is not started.
            address_variable=f"OPENAI_BASE_URL{suffix}" if is_local or not self.server.hosts else "",
            is_local=is_local,
            transport=transport,
        )
        session = OpenaiSession(client, self.server, api_key=api_key, suffix=suffix)
        self._model_list = OpenaiModelList(session)
        self._drawing = drawing = OpenaiDrawing(session, self._model_list, default_model=model)
        super().__init__(
            name=name,
            # Two servers of one's own have no key to tell them by.
            account_key=f"{address} {api_key}",
            client=client,
            operations=(OpenaiGeneration(drawing), OpenaiInpainting(drawing)),
            model_kinds=(KIND,),
            is_emulated=is_emulated,
            is_free=self.server.is_own_hardware,
        )

    async def report(self) -> ServiceReport:
        """Which server it is, what it lists, and what the model can do that would be drawn with."""
        models = await self._model_list.load()
        default = self._drawing.default_model
        is_listed = not default or await self._model_list.has(default)
        words = await build_report_words(self._drawing, models, is_listed=is_listed)
        can = [name for name in self.operations if name != "inpaint_image" or self.server.takes_images]
        return ServiceReport(words, (*can, "list_models"))

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # one kind, no bases
        """The models that draw, by name."""
        models = await self._model_list.load()
        return ModelPage(models[offset : offset + limit], has_more=offset + limit < len(models))
