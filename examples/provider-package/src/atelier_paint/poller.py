"""What has become of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import TaskFailed, TaskRunning, TaskSnapshot, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.task_poller import TaskPoller

if TYPE_CHECKING:
    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.rate_limit import PollAllowance, RateLimit
    from atelier_paint.session import PaintSession


class PaintPoller(TaskPoller):
    """Asks about tasks one by one: Paint has no batch."""

    def __init__(self, session: PaintSession, *, rate_limit: RateLimit, clock: Clock) -> None:
        """Send by ``session``; ``rate_limit`` is the account's for status requests."""
        super().__init__(rate_limit=rate_limit, clock=clock)
        self._session = session

    async def poll_task(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        """The state of one task; one that we do not know is that of a task still running."""
        http_request = HttpRequest("GET", f"/v1/pictures/{task.id}")
        match await self._session.send(http_request, rate_limit=allowance):
            case {"state": "done", "url": str(url)}:
                return TaskSucceeded((OutputImage(url=url),))
            case {"state": "failed", **rest}:
                return TaskFailed(UpstreamFailed(f"Paint failed. {self._session.client.quote(rest.get('reason'))}"))
            case _:
                return TaskRunning()
