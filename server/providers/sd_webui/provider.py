"""One WebUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.sd_webui.call_watch import SdWebuiCallWatch
from atelier_mcp.server.providers.sd_webui.errors import SERVICE_NAME
from atelier_mcp.server.providers.sd_webui.model_list import MODEL_KINDS, SdWebuiModelList
from atelier_mcp.server.providers.sd_webui.operation import SdWebuiAccount
from atelier_mcp.server.providers.sd_webui.operations.cut_out import SdWebuiCutOut
from atelier_mcp.server.providers.sd_webui.operations.describe import SdWebuiDescription
from atelier_mcp.server.providers.sd_webui.operations.faces import SdWebuiFaceSwap
from atelier_mcp.server.providers.sd_webui.operations.generate import SdWebuiGeneration
from atelier_mcp.server.providers.sd_webui.operations.inpaint import SdWebuiInpainting
from atelier_mcp.server.providers.sd_webui.operations.outpaint import SdWebuiOutpainting
from atelier_mcp.server.providers.sd_webui.operations.upscale import SdWebuiUpscaling
from atelier_mcp.server.providers.sd_webui.report import build_report
from atelier_mcp.server.providers.sd_webui.server_facts import SdWebuiProbe
from atelier_mcp.server.providers.sd_webui.session import SdWebuiSession
from atelier_mcp.server.providers.task_poller import convert_poll_errors
from atelier_mcp.server.providers.upstream import UpstreamProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ModelPage, ServiceReport, TaskSnapshot, UpstreamTask
    from atelier_mcp.server.providers.sd_webui.spec import SdWebuiSettings


class SdWebuiProvider(UpstreamProvider):
    """One server; whether it runs, which of the family it is and what it has is asked when it is needed."""

    def __init__(
        self,
        settings: SdWebuiSettings,
        *,
        clock: Clock,
        is_local: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Hold the address; nothing is opened before the first request.

        ``transport`` replaces the network in tests. Raises ``ConfigurationError`` for an address or credentials that no
        request could be made with.
        """
        if not settings.url.startswith(("http://", "https://")):
            raise ConfigurationError("SD_WEBUI_URL must begin with http:// or https://.")
        password = settings.password.get_secret_value()
        if bool(settings.user) != bool(password):
            raise ConfigurationError("SD_WEBUI_USER and SD_WEBUI_PASSWORD go together: set both or neither.")
        client = UpstreamClient(
            service=SERVICE_NAME,
            base_url=settings.url,
            clock=clock,
            secrets=(password,) if password else (),
            is_local=is_local,
            transport=transport,
        )
        session = SdWebuiSession(client, user=settings.user, password=password, timeout_s=settings.timeout_s)
        probe = SdWebuiProbe(session, clock=clock)
        self._watch = SdWebuiCallWatch(session, clock=clock)
        self._model_list = SdWebuiModelList(session, probe, clock=clock)
        self._account = account = SdWebuiAccount(settings, session, probe, self._model_list, self._watch)
        super().__init__(
            name="sd_webui",
            account_key=f"{settings.url} {settings.user}",
            client=client,
            operations=(
                SdWebuiGeneration(account),
                SdWebuiInpainting(account),
                SdWebuiOutpainting(account),
                SdWebuiUpscaling(account),
                SdWebuiDescription(account),
                SdWebuiCutOut(account),
                SdWebuiFaceSwap(account),
            ),
            model_kinds=MODEL_KINDS,
            is_free=True,
        )

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """What became of calls whose answers were lost, by task id."""
        with convert_poll_errors():
            return {task.id: await self._watch.look_up(task.id) for task in tasks}

    async def cancel(self, task: UpstreamTask) -> bool:
        """Interrupt it where it is the one at work."""
        with raise_rejection_errors():
            return await self._watch.stop(task.id)

    async def report(self) -> ServiceReport:
        """Which server of the family it is, what it has, and which tools that is enough for."""
        return await build_report(self._account)

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # a server loads one checkpoint
        """A part of one of the server's lists."""
        return await self._model_list.fetch_page(kind, offset=offset, limit=limit)
