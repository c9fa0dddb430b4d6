"""One workflow carried out, from its outputs back; what did not change since the last one is not done again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import traceback
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.comfyui.input_types import is_link
from atelier_mcp.server.emulator.comfyui.node_classes import CLASSES
from atelier_mcp.server.emulator.comfyui.node_work import run_node

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from atelier_mcp.server.emulator.comfyui.node_context import NodeContext
    from atelier_mcp.server.emulator.comfyui.values import NodeResult

    EventSender = Callable[[str, dict[str, Any]], None]
    ShareWaiter = Callable[[float], Awaitable[None]]

SHOWN_STEPS: Final = 4
"""How many steps of a sampler are told of."""
SEEDS: Final = frozenset({"seed", "noise_seed"})
"""What draws has one."""
LOADERS: Final = frozenset({"LoadImage", "LoadImageMask"})


@dataclass(slots=True)
class NodeCache:
    """What came of the nodes of the last workflow, by what they are and what they come from."""

    results: dict[str, NodeResult] = field(default_factory=dict[str, "NodeResult"])


class ExecutionError(Exception):
    """A node could not be carried out."""

    def __init__(self, node_id: str, error: Exception) -> None:
        """Keep the node and what it raised."""
        super().__init__(str(error))
        self.node_id = node_id
        self.error = error


class GraphExecution:
    """Carries out one workflow."""

    def __init__(
        self,
        graph: Mapping[str, Any],
        context: NodeContext,
        cache: NodeCache,
        *,
        send: EventSender,
        wait_for_share: ShareWaiter,
    ) -> None:
        """``send`` tells of the nodes as they come (contract: websocket.events).

        ``wait_for_share`` returns when a share of the time that a workflow takes is over.
        """
        self._graph = graph
        self._context = context
        self._cache = cache
        self._send = send
        self._wait_for_share = wait_for_share
        self._results: dict[str, NodeResult] = {}
        self._signatures: dict[str, str] = {}
        self.current_id: str = ""
        """The node at work."""

    async def run(self, output_ids: tuple[str, ...], *, failure: str = "") -> dict[str, Any]:
        """What each output node saved, as history has it; raises ``ExecutionError``.

        ``failure`` is the message of a fault on order, which the first node that draws then raises.
        """
        order = self._sort(output_ids)
        for node_id in order:
            self._signatures[node_id] = await self._compute_signature(node_id)
        cached = [node_id for node_id in order if self._signatures[node_id] in self._cache.results]
        self._send("execution_cached", {"nodes": cached})
        for node_id in order:
            await self._run_node(node_id, failure)
        self._cache.results = {self._signatures[node_id]: self._results[node_id] for node_id in order}
        texts = {"text": list(self._context.remarks)} if self._context.remarks else {}
        return {
            node_id: {"images": [asdict(file) for file in saved], **texts}
            for node_id in output_ids
            if (saved := self._results[node_id].saved) is not None
        }

    async def _run_node(self, node_id: str, failure: str) -> None:
        self.current_id = node_id
        cached = self._cache.results.get(self._signatures[node_id])
        if cached is not None:
            self._results[node_id] = cached
            return
        self._send("executing", {"node": node_id, "display_node": node_id})
        class_type = self._graph[node_id]["class_type"]
        try:
            if failure and CLASSES[class_type].inputs.keys() & SEEDS:
                raise ValueError(failure)
            result = await run_node(class_type, self._context, self._resolve_inputs(node_id))
        except Exception as error:  # the service tells a node's defect as that node's error, too
            raise ExecutionError(node_id, error) from error
        self._results[node_id] = result
        if result.saved is not None:
            output = {"images": [asdict(file) for file in result.saved]}
            self._send("executed", {"node": node_id, "display_node": node_id, "output": output})
        if _has_steps(class_type):
            await self._report_steps(node_id)

    async def _report_steps(self, node_id: str) -> None:
        """The steps of one of the samplers, each in its part of the time."""
        samplers = [one for one in self._results if _has_steps(self._graph[one]["class_type"])]
        count = sum(_has_steps(node["class_type"]) for node in self._graph.values())
        for step in range(1, SHOWN_STEPS + 1):
            await self._wait_for_share((len(samplers) - 1 + step / SHOWN_STEPS) / count)
            state = {"value": step, "max": SHOWN_STEPS}
            self._send("progress", {**state, "node": node_id})
            word = "finished" if step == SHOWN_STEPS else "running"
            self._send("progress_state", {"nodes": {node_id: {**state, "state": word, "node_id": node_id}}})

    def _resolve_inputs(self, node_id: str) -> dict[str, Any]:
        """The node's inputs with values in the place of links; what its class does not have is ignored."""
        known = CLASSES[self._graph[node_id]["class_type"]].inputs
        return {
            name: self._results[value[0]].values[value[1]] if is_link(value) else value
            for name, value in self._graph[node_id].get("inputs", {}).items()
            if name in known
        }

    def _sort(self, output_ids: tuple[str, ...]) -> list[str]:
        """The nodes that are needed, each after those it comes from."""
        order: dict[str, None] = {}

        def visit(node_id: str) -> None:
            if node_id in order:
                return
            for value in self._graph[node_id].get("inputs", {}).values():
                if is_link(value):
                    visit(value[0])
            order[node_id] = None

        for node_id in output_ids:
            visit(node_id)
        return list(order)

    async def _compute_signature(self, node_id: str) -> str:
        """The same for a node that would come out the same (contract: conventions.cache)."""
        node = self._graph[node_id]
        inputs = {
            name: [self._signatures[value[0]], value[1]] if is_link(value) else value
            for name, value in sorted(node.get("inputs", {}).items())
        }
        text = json.dumps([node["class_type"], inputs])
        if node["class_type"] in LOADERS:
            data = await asyncio.to_thread(self._context.files.read_input, node["inputs"]["image"])
            text += hashlib.sha256(data).hexdigest()
        return hashlib.sha256(text.encode()).hexdigest()


def _has_steps(class_type: str) -> bool:
    return "steps" in CLASSES[class_type].inputs


def describe_error(failure: ExecutionError, graph: Mapping[str, Any]) -> dict[str, Any]:
    """What ``execution_error`` says of it."""
    return {
        "node_id": failure.node_id,
        "node_type": graph[failure.node_id]["class_type"],
        "executed": [],
        "exception_message": str(failure.error),
        "exception_type": type(failure.error).__name__,
        "traceback": traceback.format_exception_only(failure.error),
        "current_inputs": {},
        "current_outputs": [],
    }
