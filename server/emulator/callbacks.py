"""Calls back to who submitted a task, when it is over."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from atelier_mcp.server.emulator.task_store import TaskRecord
    from atelier_mcp.server.emulator.tasks import TaskService, TaskView

logger: logging.Logger = logging.getLogger(__name__)

ATTEMPTS: Final = 3
PAUSE_S: Final = 0.2
TIMEOUT_S: Final = 10.0


class CallbackSender:
    """The calls that are still to be made; each is tried three times, and its answer does not matter."""

    def __init__(self, tasks: TaskService) -> None:
        """Follow these tasks."""
        self._tasks = tasks
        self._group: asyncio.TaskGroup | None = None
        self._send_tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Call as long as the context lasts; what has not been called at its end is not."""
        async with asyncio.TaskGroup() as self._group:
            try:
                yield
            finally:
                for send_task in self._send_tasks:
                    send_task.cancel()

    def send_when_finished(self, task: TaskRecord, url: str, build_body: Callable[[TaskView], dict[str, Any]]) -> None:
        """POST ``body`` of the task, with its id, to ``url`` once it is over."""
        # Routes can be called without the lifespan, in which nothing runs in the background.
        if self._group is None:
            return
        send_task = self._group.create_task(self._send(task, url, build_body), name=f"callback {task.task_id}")
        self._send_tasks.add(send_task)
        send_task.add_done_callback(self._send_tasks.discard)

    async def _send(self, task: TaskRecord, url: str, build_body: Callable[[TaskView], dict[str, Any]]) -> None:
        try:
            view = await self._wait_until_finished(task)
            if view is not None:
                await self._post(url, {**build_body(view), "task_id": task.task_id})
        except Exception:  # in a task group it would end all other calls, and the emulator with them
            logger.exception("a callback broke", extra={"service": task.service, "task_id": task.task_id})

    async def _wait_until_finished(self, task: TaskRecord) -> TaskView | None:
        """The task once its time has come and its pictures are there; None when it is gone."""
        await self._tasks.wait_for_outcome(task)
        while (view := await self._tasks.find(task.service, task.task_id, task.account)) is not None:
            if view.phase in {Phase.SUCCESS, Phase.FAILED}:
                return view
            await asyncio.sleep(PAUSE_S)
        return None

    async def _post(self, url: str, document: dict[str, Any]) -> None:
        import httpx2

        client = await asyncio.to_thread(lambda: httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False))
        async with client:
            for attempt in range(ATTEMPTS):
                try:
                    response = await client.post(url, json=document)
                except (httpx2.HTTPError, httpx2.InvalidURL) as err:
                    logger.info("a callback failed", extra={"attempt": attempt, "error": type(err).__name__})
                else:
                    if response.is_success:
                        return
                await asyncio.sleep(PAUSE_S)
