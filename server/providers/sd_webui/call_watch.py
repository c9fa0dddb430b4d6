"""A call under way: how far it is, how it is stopped, and what became of one whose answer was lost.

The task id is ours, so that the service can be asked about this very call (contract: internal.progress). Servers
without task ids tell only of whatever is at work (contract: progress.whose, internal.nowebui).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.errors import AtelierError, Spent, SubmitUnconfirmed, UpstreamFailed
from atelier_mcp.server.providers.base import TaskFailed, TaskPending, TaskRunning
from atelier_mcp.server.providers.faults import Rejection
from atelier_mcp.server.providers.sd_webui.errors import SdWebuiRejection
from atelier_mcp.server.providers.sd_webui.wire import SdWebuiProgressBody, SdWebuiQueueBody, SdWebuiTaskBody
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ProgressCallback, TaskSnapshot
    from atelier_mcp.server.providers.sd_webui.session import SdWebuiSession

log: logging.Logger = logging.getLogger(__name__)

TASK_PATH: Final = "/internal/progress"
PENDING_PATH: Final = "/internal/pending-tasks"
PROGRESS_PATH: Final = "/sdapi/v1/progress"
INTERRUPT_PATH: Final = "/sdapi/v1/interrupt"
INTERVAL_S: Final = 1.0
AnswerT = TypeVar("AnswerT")


class SdWebuiCallWatch:
    """Asks one server about calls under way."""

    def __init__(self, session: SdWebuiSession, *, clock: Clock) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._clock = clock

    async def follow(
        self, call: Coroutine[Any, Any, AnswerT], *, task_id: str, takes_task_ids: bool, report: ProgressCallback
    ) -> AnswerT:
        """What the call comes to, with its progress told on the way; raises what it raises."""
        has_ended = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            watch = self._report_progress(task_id if takes_task_ids else "", report, has_ended)
            group.create_task(watch, name=f"progress of {task_id}")
            try:
                answer, error = await call, None
            # Kept, for the group would wrap it up with the errors of its tasks.
            except (AtelierError, Rejection) as err:
                answer, error = None, err
            finally:
                has_ended.set()
        if error is not None:
            raise error
        return answer  # pyright: ignore[reportReturnType]  # without an error there is an answer

    async def stop(self, task_id: str) -> bool:
        """Stop a call that is at work; False for one that waits at the service, which nothing can take back.

        Only where it is certain that ours is at work: an interrupt hits whoever is (contract: interrupt.whose).
        """
        task = await self._find_task(task_id)
        if task is None or not task.active or task.completed:
            return False
        await self._session.post(INTERRUPT_PATH, {})
        return True

    async def look_up(self, task_id: str) -> TaskSnapshot:
        """What became of a call whose answer was lost; its pictures can never be fetched.

        A task that failed stays at work by name until the next begins (contract: internal.failed).
        """
        task = await self._find_task(task_id)
        if task is None:
            return TaskFailed(SubmitUnconfirmed("This WebUI tells nothing of single jobs."))
        if task.queued:
            return TaskPending()
        if task.completed:
            return TaskFailed(_build_lost_error("The WebUI has drawn it, after the connection to it had broken"))
        if not task.active:
            return TaskFailed(
                SubmitUnconfirmed("The WebUI does not know the job: it never arrived, failed, or the WebUI restarted.")
            )
        if await self._is_idle():
            return TaskFailed(_build_lost_error("The WebUI failed, after the connection to it had broken"))
        return TaskRunning(task.progress, "goes on at the WebUI, whose answer is lost")

    async def _report_progress(self, task_id: str, report: ProgressCallback, has_ended: asyncio.Event) -> None:
        """Tell what the service tells, once a second, as long as it tells anything."""
        try:
            waiting = parse_model(SdWebuiQueueBody, await self._session.find(PENDING_PATH)) if task_id else None
            if waiting is not None and waiting.size:
                report(None, f"{waiting.size} wait at the WebUI")
            while not await wait_with_timeout(self._clock, INTERVAL_S, has_ended.wait()):
                if not await self._report_once(task_id, report):
                    return
        except (AtelierError, Rejection) as err:
            # Progress is only a courtesy: the open call is what counts.
            log.debug("no progress is told: %s", type(err).__name__)

    async def _report_once(self, task_id: str, report: ProgressCallback) -> bool:
        task = await self._find_task(task_id) if task_id else None
        if task is None:
            progress = await self._find_progress()
            if progress is not None:
                report(progress.progress or None, "drawing")
            return progress is not None
        if task.queued:
            report(None, task.textinfo or "waits at the WebUI")
        elif task.active:
            report(task.progress, "drawing")
        return True

    async def _find_task(self, task_id: str) -> SdWebuiTaskBody | None:
        """What is said of one task; None where this server tells nothing of single ones."""
        body = {"id_task": task_id, "id_live_preview": -1, "live_preview": False}
        try:
            return parse_model(SdWebuiTaskBody, await self._session.post(TASK_PATH, body))
        except SdWebuiRejection as err:
            if err.fault.is_route_missing:
                return None
            raise

    async def _find_progress(self) -> SdWebuiProgressBody | None:
        document = await self._session.get(PROGRESS_PATH, {"skip_current_image": "true"})
        return parse_model(SdWebuiProgressBody, document)

    async def _is_idle(self) -> bool:
        progress = await self._find_progress()
        return progress is not None and progress.is_idle


def _build_lost_error(what: str) -> UpstreamFailed:
    return UpstreamFailed(
        f"{what}; its pictures cannot be fetched.", hint="Ask again: it costs time, no money.", spent=Spent.NOTHING
    )
