"""How far the workflows at work are, which ComfyUI tells over its WebSocket alone (contract: websocket.events).

Events go to the ``client_id`` that a job was queued with, and nothing is replayed (contract: websocket.scope). So each
job is queued under a client id of its own, its prompt id: whichever process polls it can listen, also after a restart.
A socket is a hint and no more: whatever is wrong with it, the job goes on and its end is read from the history.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.comfyui.graph import get_inputs, read_object
from atelier_mcp.server.providers.http_messages import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from atelier_mcp.server.providers.comfyui.session import ComfyuiSession

log: logging.Logger = logging.getLogger(__name__)

SILENCE_S: Final = 900.0
"""A step on a slow computer, or the loading of a checkpoint, may take minutes."""
STEPS_INPUT: Final = "steps"
LATENT_INPUT: Final = "latent_image"
"""What every sampler begins with; their steps are what takes the time."""
ENDS: Final = frozenset({"execution_success", "execution_error", "execution_interrupted"})


class WorkflowProgress:
    """The share of one workflow that is done, from its events."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        """``graph`` tells its samplers and their steps; in one without any, whatever tells of steps counts."""
        self._weights = {
            node_id: _read_steps(get_inputs(node))
            for node_id, node in graph.items()
            if LATENT_INPUT in get_inputs(node)
        }
        self._shares: dict[str, float] = {}
        self.share: float | None = None

    def read(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take an event in: ``progress`` is of one node, ``progress_state``, on later servers, of all so far."""
        nodes = {str(data.get("node")): data} if kind == "progress" else read_object(data.get("nodes"))
        for node_id, state in nodes.items():
            share = _read_share(read_object(state))
            if share is not None and (not self._weights or node_id in self._weights):
                self._shares[node_id] = share
        if self._shares:
            # A node that draws in several runs begins anew: what was done is not undone.
            self.share = max(self.share or 0.0, self._compute_share())

    def _compute_share(self) -> float:
        weights = self._weights or dict.fromkeys(self._shares, 1.0)
        done = sum(weight * self._shares.get(node_id, 0.0) for node_id, weight in weights.items())
        return done / sum(weights.values())


def _read_steps(inputs: Mapping[str, Any]) -> float:
    steps = inputs.get(STEPS_INPUT)
    return float(steps) if isinstance(steps, int) and steps > 0 else 1.0


def _read_share(state: Mapping[str, Any]) -> float | None:
    match state:
        case {"value": int() | float() as value, "max": int() | float() as most} if most > 0:
            return min(1.0, max(0.0, value / most))
        case _:
            return None


class ProgressWatch:
    """Listens to one server about the jobs at work there."""

    def __init__(self, session: ComfyuiSession) -> None:
        """Nothing is opened before a job runs."""
        self._session = session
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._progress: dict[str, WorkflowProgress] = {}

    def get_share(self, prompt_id: str, graph: Mapping[str, Any]) -> float | None:
        """The share done of a job at work, in [0, 1], as far as it was heard; listens from the first call on."""
        if self._session.is_cloud:  # its socket asks for the key in the address, where logs have it
            return None
        if prompt_id not in self._progress:
            progress = self._progress[prompt_id] = WorkflowProgress(graph)
            self._tasks[prompt_id] = asyncio.create_task(
                self._listen(prompt_id, progress), name=f"progress of {prompt_id}"
            )
        return self._progress[prompt_id].share

    async def forget_others(self, prompt_ids: Collection[str]) -> None:
        """Stop listening to all but these: they are not at work any more."""
        gone = [prompt_id for prompt_id in self._progress if prompt_id not in prompt_ids]
        tasks = [self._tasks.pop(prompt_id) for prompt_id in gone]
        self._progress = {one: progress for one, progress in self._progress.items() if one not in gone}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Stop listening."""
        await self.forget_others(())

    async def _listen(self, prompt_id: str, progress: WorkflowProgress) -> None:
        http_request = HttpRequest("GET", "/ws", query={"clientId": prompt_id}, read_timeout_s=SILENCE_S)
        try:
            async with aclosing(self._session.listen(http_request)) as texts:
                async for text in texts:
                    match _parse(text):
                        case {"type": str(kind), "data": {"prompt_id": str(owner), **data}} if owner == prompt_id:
                            if kind in ENDS:
                                return
                            progress.read(kind, data)
                        case _:
                            continue
        except AtelierError as err:
            log.debug("no progress is told: %s", type(err).__name__)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
