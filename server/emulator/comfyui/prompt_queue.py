"""The queue and its one worker, and the history: all of it in memory (contract: conventions.history)."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.comfyui.execution import (
    ExecutionError,
    GraphExecution,
    NodeCache,
    describe_error,
)
from atelier_mcp.server.emulator.comfyui.node_context import NodeContext

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Mapping

    from atelier_mcp.server.emulator.comfyui.event_hub import EventHub
    from atelier_mcp.server.emulator.comfyui.file_store import FileStore
    from atelier_mcp.server.emulator.state import EmulatorState

logger: logging.Logger = logging.getLogger(__name__)

MAX_HISTORY: Final = 10_000
CLOCK_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """A workflow that waits or runs."""

    number: float
    prompt_id: str
    graph: Mapping[str, Any]
    extra_data: Mapping[str, Any]
    outputs: tuple[str, ...]
    client_id: str = ""
    failure: str = ""
    """The message of a fault on order."""
    created_ms: int = 0

    def to_document(self) -> list[Any]:
        """As queue and history have it; secrets are never in it (contract: auth.partner_nodes)."""
        return [self.number, self.prompt_id, self.graph, self.extra_data, list(self.outputs)]


@dataclass(slots=True)
class _Run:
    """The item at work, and what was told of it so far."""

    item: QueueItem
    task: asyncio.Task[dict[str, Any] | ExecutionError] | None = None
    messages: list[list[Any]] = field(default_factory=list[list[Any]])


class EmulatedPromptQueue:
    """One server's work."""

    def __init__(self, emulator: EmulatorState, files: FileStore, events: EventHub) -> None:
        """Nothing waits; the worker begins with ``run``."""
        self._emulator = emulator
        self._files = files
        self._events = events
        self._pending: list[QueueItem] = []
        self._current: _Run | None = None
        self._history: dict[str, dict[str, Any]] = {}
        self._cache = NodeCache()
        self._counter = 0
        self._changed = asyncio.Event()

    @property
    def running(self) -> list[QueueItem]:
        """What is at work: one or none."""
        return [] if self._current is None else [self._current.item]

    @property
    def pending(self) -> list[QueueItem]:
        """What waits, in the order it will be done."""
        return sorted(self._pending, key=lambda item: item.number)

    @property
    def history(self) -> Mapping[str, dict[str, Any]]:
        """What is done, oldest first."""
        return self._history

    def take_number(self, *, is_first: bool) -> float:
        """The next place: in front of all, or behind (contract: conventions.queue)."""
        self._counter += 1
        return -self._counter if is_first else self._counter

    def put(self, item: QueueItem) -> None:
        """Queue a workflow; the same id twice is two workflows (contract: conventions.dedupe)."""
        self._pending.append(item)
        self._announce()

    def remove(self, is_meant: Callable[[QueueItem], bool]) -> None:
        """Take waiting workflows out."""
        self._pending = [item for item in self._pending if not is_meant(item)]
        self._announce()

    def forget(self, prompt_ids: Collection[str] | None) -> None:
        """Forget finished workflows; all of them for None."""
        kept = {} if prompt_ids is None else self._history
        self._history = {name: entry for name, entry in kept.items() if name not in (prompt_ids or ())}

    def interrupt(self, prompt_id: str | None) -> None:
        """Stop what runs, if it is the one that is meant."""
        run = self._current
        if run is not None and run.task is not None and prompt_id in (None, run.item.prompt_id):
            run.task.cancel()

    def restart(self) -> None:
        """Lose everything but files, as a server does that is started anew."""
        self._pending.clear()
        if self._current is not None and self._current.task is not None:
            self._current.task.cancel()
        self._current, self._history, self._cache = None, {}, NodeCache()
        self._announce()

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Work as long as the context lasts."""
        async with asyncio.TaskGroup() as group:
            worker = group.create_task(self._work(group), name="ComfyUI's worker")
            try:
                yield
            finally:
                worker.cancel()
                if self._current is not None and self._current.task is not None:
                    self._current.task.cancel()

    async def _work(self, group: asyncio.TaskGroup) -> None:
        while True:
            while not self._pending:
                self._changed.clear()
                await self._changed.wait()
            item = self.pending[0]
            self._pending.remove(item)
            await self._run_item(item, group)

    async def _run_item(self, item: QueueItem, group: asyncio.TaskGroup) -> None:
        run = self._current = _Run(item)
        self._announce()
        self._notify(run, "execution_start", {})
        run.task = group.create_task(self._execute(run), name=f"prompt {item.prompt_id}")
        await asyncio.wait([run.task])
        # After a restart nobody knows of it any more.
        if self._current is not run:
            return
        outputs = self._judge(run)
        self._current = None
        self._remember(run, outputs)
        self._events.send("executing", {"node": None, "prompt_id": item.prompt_id}, item.client_id or "-")
        self._announce()

    async def _execute(self, run: _Run) -> dict[str, Any] | ExecutionError:
        """What was saved, or why not: raised in the group, it would end the worker."""
        try:
            return await self._carry_out(run)
        except ExecutionError as error:
            return error
        except Exception as error:  # whatever a workflow breaks on, the queue goes on with the next
            logger.exception("a workflow failed")
            return ExecutionError(run.item.outputs[0], error)

    async def _carry_out(self, run: _Run) -> dict[str, Any]:
        item, began = run.item, self._emulator.clock.now()
        texts = {"prompt": json.dumps(item.graph)}
        for name, value in dict(item.extra_data.get("extra_pnginfo") or {}).items():
            texts[str(name)] = json.dumps(value)
        execution = GraphExecution(
            item.graph,
            NodeContext(self._emulator, self._files, texts),
            self._cache,
            send=lambda kind, data: self._notify(run, kind, data),
            wait_for_share=lambda share: self._wait_for_share(began, share),
        )
        outputs = await execution.run(item.outputs, failure=item.failure)
        await self._wait_for_share(began, 1.0)
        return outputs

    async def _wait_for_share(self, began: float, share: float) -> None:
        """Until a share of the time a workflow takes is over, by looking at the clock, which may be moved by hand."""
        while self._emulator.clock.now() < began + share * self._emulator.settings.task_seconds:  # noqa: ASYNC110  # no event tells of a clock
            await asyncio.sleep(CLOCK_POLL_S)

    def _judge(self, run: _Run) -> dict[str, Any]:
        """What a run made, with its last message."""
        assert run.task is not None  # noqa: S101  # it was waited for
        if run.task.cancelled():
            self._notify(run, "execution_interrupted", {"node_id": "", "node_type": "", "executed": []})
            return {}
        result = run.task.result()
        if isinstance(result, ExecutionError):
            self._notify(run, "execution_error", describe_error(result, run.item.graph))
            return {}
        self._notify(run, "execution_success", {})
        return result

    def _remember(self, run: _Run, outputs: dict[str, Any]) -> None:
        is_good = run.messages[-1][0] == "execution_success"
        self._history.pop(run.item.prompt_id, None)  # the last one counts, and stands last
        self._history[run.item.prompt_id] = {
            "prompt": run.item.to_document(),
            "outputs": outputs,
            "status": {
                "status_str": "success" if is_good else "error",
                "completed": is_good,
                "messages": [message for message in run.messages if message[0].startswith("execution_")],
            },
            "meta": {node_id: {"node_id": node_id, "display_node": node_id} for node_id in outputs},
        }
        with suppress(KeyError):
            if len(self._history) > MAX_HISTORY:
                del self._history[next(iter(self._history))]

    def _notify(self, run: _Run, kind: str, data: dict[str, Any]) -> None:
        full = {**data, "prompt_id": run.item.prompt_id, "timestamp": int(self._emulator.clock.now() * 1000)}
        run.messages.append([kind, full])
        if run.item.client_id:
            self._events.send(kind, full, run.item.client_id)

    def _announce(self) -> None:
        self._changed.set()
        self._events.send("status", {"status": self.describe_status()})

    def describe_status(self) -> dict[str, Any]:
        """How much is left to do (contract: prompt.get)."""
        return {"exec_info": {"queue_remaining": len(self._pending) + len(self.running)}}
