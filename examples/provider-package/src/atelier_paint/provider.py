"""One account at Paint, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.upstream import UpstreamProvider
from atelier_paint.generation import PaintGeneration
from atelier_paint.poller import PaintPoller
from atelier_paint.session import PaintSession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import TaskSnapshot, UpstreamTask


class PaintProvider(UpstreamProvider):
    """Draws by Paint."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str,
        clock: Clock,
        is_local: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """``is_local``: the service runs on this machine. ``transport`` replaces the network in tests."""
        client = UpstreamClient(
            service="Paint",
            base_url=base_url,
            clock=clock,
            secrets=(api_key,),
            is_local=is_local,
            transport=transport,
        )
        session = PaintSession(client, api_key)
        super().__init__(name="paint", account_key=api_key, client=client, operations=[PaintGeneration(session)])
        self._poller = PaintPoller(session, rate_limit=self.poll_rate_limit, clock=clock)

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """What is known of the tasks, by id."""
        return await self._poller.poll(tasks)
