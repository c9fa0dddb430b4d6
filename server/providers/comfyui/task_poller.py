"""What has become of a job: one look into the queue and one into the history serve all that wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import Spent, SubmitUnconfirmed, UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.comfyui.graph import FILE_INPUT, find_seed, get_inputs
from atelier_mcp.server.providers.comfyui.history import HistoryEntry
from atelier_mcp.server.providers.comfyui.job_search import RECHECK_S
from atelier_mcp.server.providers.comfyui.png_texts import read_graph
from atelier_mcp.server.providers.comfyui.submitting import PAID
from atelier_mcp.server.providers.task_poller import TaskPoller

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.comfyui.job_search import JobSearch, QueueState
    from atelier_mcp.server.providers.comfyui.progress_watch import ProgressWatch
    from atelier_mcp.server.providers.comfyui.session import ComfyuiSession
    from atelier_mcp.server.providers.rate_limit import PollAllowance, RateLimit

BATCH_SIZE: Final = 50
GONE_FILE: Final = "its file is gone"


class ComfyuiTaskPoller(TaskPoller):
    """Asks one server about its jobs."""

    def __init__(
        self,
        session: ComfyuiSession,
        search: JobSearch,
        *,
        watch: ProgressWatch,
        rate_limit: RateLimit,
        clock: Clock,
    ) -> None:
        """``search`` looks for jobs, ``watch`` listens to them; ``rate_limit`` is the account's for status requests."""
        super().__init__(rate_limit=rate_limit, clock=clock)
        self._session = session
        self._search = search
        self._watch = watch

    def batch_size(self, kind: str) -> int:  # noqa: ARG002  # the same for all
        """Many: one answer holds the whole queue."""
        return BATCH_SIZE

    async def poll_batch(self, tasks: Sequence[UpstreamTask], allowance: PollAllowance) -> dict[str, TaskSnapshot]:
        """What the queue and the last entries of the history say; a job in neither is left out."""
        queue = await self._read_queue(allowance)
        snapshots: dict[str, TaskSnapshot] = {
            task.id: self._read_place(queue, task.id) for task in tasks if task.id in queue
        }
        if missing := [task for task in tasks if task.id not in queue]:
            entries = await self._search.read_histories([task.id for task in missing], allowance)
            found = [task for task in missing if task.id in entries]
            read = await asyncio.gather(*(self._read_entry(task, entries[task.id]) for task in found))
            snapshots |= dict(zip((task.id for task in found), read, strict=True))
        return snapshots

    async def poll_task(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        """The same for one job; one that is nowhere is looked for once more, and then by its files."""
        for is_last in (False, True):
            queue = await self._read_queue(allowance)
            if task.id in queue:
                return self._read_place(queue, task.id)
            if (entry := await self._search.read_history(task.id, allowance)) is not None:
                return await self._read_entry(task, entry)
            if not is_last:
                await self._clock.sleep(RECHECK_S)
        return await self._read_left_files(task)

    async def _read_queue(self, allowance: PollAllowance) -> QueueState:
        queue = await self._search.read_queue(allowance)
        await self._watch.forget_others(queue.running)
        return queue

    def _read_place(self, queue: QueueState, task_id: str) -> TaskSnapshot:
        if (graph := queue.running.get(task_id)) is None:
            return TaskPending()
        return TaskRunning(self._watch.get_share(task_id, graph))

    async def _read_entry(self, task: UpstreamTask, document: Mapping[str, Any]) -> TaskSnapshot:
        entry = HistoryEntry(document)
        if (problem := entry.find_problem()) is not None:
            spent = Spent.UNKNOWN if task.kind == PAID else Spent.NOTHING
            said = f"{problem.format_place()} {self._session.client.quote(problem.reason)}" if problem.reason else ""
            return TaskFailed(UpstreamFailed(f"{problem.what} {said}".strip(), hint=problem.hint, spent=spent))
        outputs = entry.list_outputs()
        if not outputs:
            return TaskFailed(
                UpstreamFailed("ComfyUI finished the workflow, which saved no picture.", spent=Spent.NOTHING)
            )
        files = await asyncio.gather(*(self._search.fetch(output.file) for output in outputs))
        images = [
            await _build_image(data, output.seed)
            for output, data in zip(outputs, files, strict=True)
            if data is not None
        ]
        texts = self._session.client.clean("; ".join(entry.list_texts()))
        return TaskSucceeded(
            tuple(images),
            data={"remarks": texts} if texts else {},
            missing_reasons=(GONE_FILE,) * (len(outputs) - len(images)),
        )

    async def _read_left_files(self, task: UpstreamTask) -> TaskSnapshot:
        """A job that neither queue nor history knows: the server was restarted, or never had it.

        (contract: durable.finish)
        """
        files = await self._search.fetch_left_files(task.id)
        if not files:
            return TaskFailed(_build_loss(task))
        graph = read_graph(files[0])
        saving_ids = [node_id for node_id, node in graph.items() if FILE_INPUT in get_inputs(node)]
        seeds = [find_seed(graph, node_id) for node_id in saving_ids]
        # Which file is whose is known where each saving node had one; a batch has one node for all.
        seeds = seeds if len(seeds) >= len(files) else [None] * len(files)
        images = [await _build_image(data, seed) for data, seed in zip(files, seeds, strict=False)]
        missing_count = max(0, len(saving_ids) - len(files))
        return TaskSucceeded(tuple(images), missing_reasons=("lost when ComfyUI was restarted",) * missing_count)


async def _build_image(data: bytes, seed: int | None) -> OutputImage:
    """A picture without what ComfyUI wrote into its file: prompts are not for whoever gets the picture."""
    from atelier_mcp.server.images.file_parts import remove_ambiguities
    from atelier_mcp.server.providers.comfyui.png_texts import SIGNATURE

    if data.startswith(SIGNATURE):
        data = await asyncio.to_thread(remove_ambiguities, data, "PNG")
    return OutputImage(data=data, seed=seed)


def _build_loss(task: UpstreamTask) -> SubmitUnconfirmed | UpstreamFailed:
    if task.kind == PAID:
        return SubmitUnconfirmed("ComfyUI knows nothing of the job.")
    return UpstreamFailed(
        "ComfyUI knows nothing of the job: it was restarted, or never got it.", hint="Ask again.", spent=Spent.NOTHING
    )
