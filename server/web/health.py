"""What a balancer or a container platform asks a replica: is it alive, and is it to be given requests.

Both are answered under any Host and without a token: probes go by an address, and the answers say nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.jobs.model import JobId

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.service_host import ServiceHost

log: logging.Logger = logging.getLogger(__name__)

HEALTH_PATHS: Final = ("/healthz", "/readyz")
LEDGER_BOUND_S: Final = 2.0
LEDGER_PATIENCE_S: Final = 10.0
"""A ledger may be silent for so long, as while its database restarts, before other replicas are asked in our place."""
_NO_JOB: Final = JobId("job_")


class Readiness:
    """Whether a replica is to be given requests: its ledger answers, and it is not about to stop.

    Services that do not answer are no reason: every replica would leave at once.
    """

    def __init__(self, service_host: ServiceHost, *, has_shared_ledger: bool, clock: Clock) -> None:
        """A ledger that is shared is opened and asked; one of this machine opens with the first call."""
        self._service_host = service_host
        self._has_shared_ledger = has_shared_ledger
        self._clock = clock
        self._is_draining = False
        self._answered_at_s = float("-inf")

    def start_draining(self) -> None:
        """Be given no more requests; calls that wait for jobs answer with the jobs as they stand."""
        self._is_draining = True
        self._service_host.end_waits()

    async def find_obstacle(self) -> str | None:
        """Why requests should go elsewhere; None when they may come."""
        if self._is_draining:
            return "stopping"
        if self._has_shared_ledger and not await self._is_ledger_there():
            return "the ledger does not answer"
        return None

    async def _is_ledger_there(self) -> bool:
        try:
            async with asyncio.timeout(LEDGER_BOUND_S):
                services = await self._service_host.get_services()
                await services.jobs.find([_NO_JOB])
        except (AtelierError, TimeoutError):
            log.warning("the ledger does not answer")
            return self._clock.monotonic() - self._answered_at_s < LEDGER_PATIENCE_S
        self._answered_at_s = self._clock.monotonic()
        return True


def answer_health(app: ASGIApp, readiness: Readiness) -> ASGIApp:
    """The same application, with ``/healthz`` and ``/readyz`` answered before anything is checked."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in HEALTH_PATHS:
            await app(scope, receive, send)
            return
        obstacle = await readiness.find_obstacle() if scope["path"] == "/readyz" else None
        document = {"status": obstacle or "ok"}
        await JSONResponse(document, status_code=503 if obstacle else 200)(scope, receive, send)

    return answer
