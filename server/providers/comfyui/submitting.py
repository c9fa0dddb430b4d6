"""A graph on its way into the queue: sent once under our own id, and looked for where the answer was lost.

There is no deduplication: the same id sent twice runs twice (contract: conventions.dedupe). So it is sent again only
when queue, history and files say, twice, that it never arrived (contract: durable.answer_lost).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import AtelierError, InvalidRequest, SubmitUnconfirmed
from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.comfyui.errors import format_node_errors
from atelier_mcp.server.providers.comfyui.graph import name_files
from atelier_mcp.server.providers.faults import Rejection, raise_rejection_errors
from atelier_mcp.server.providers.http_messages import HttpRequest

if TYPE_CHECKING:
    from atelier_mcp.server.providers.comfyui.graph import Graph
    from atelier_mcp.server.providers.comfyui.job_search import JobSearch
    from atelier_mcp.server.providers.comfyui.session import ComfyuiSession

FREE: Final = "prompt"
"""The kind of a task that costs nothing but time."""
PAID: Final = "paid"
"""The kind of one that costs credits: at Comfy Cloud, or with a partner's nodes."""
_NAMESPACE: Final = uuid.UUID("7a0d5e1e-5f0c-4f7e-9a3b-0c6f3a7f5d21")


def name_prompt(job_id: str) -> str:
    """The prompt id of a job, as servers ask for it since 2026: a UUID in lower case (contract: conventions.ids)."""
    return str(uuid.uuid5(_NAMESPACE, job_id))


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """How a graph is queued."""

    is_first: bool = False
    """Before all that wait."""


class PromptQueue:
    """Puts graphs into the queue of one server."""

    def __init__(self, session: ComfyuiSession, search: JobSearch, *, partner_key: str = "") -> None:
        """``search`` looks for what was sent without an answer; ``partner_key`` pays for partners' nodes."""
        self._session = session
        self._search = search
        self._partner_key = partner_key

    async def put(self, task: UpstreamTask, graph: Graph, options: QueueOptions) -> UpstreamTask:
        """The task as the server knows it. Raises as ``JobOperation.submit``."""
        # Whoever polls the job can listen to it: the socket's name is the job's (contract: websocket.scope).
        body: dict[str, Any] = {"prompt": name_files(graph, task.id), "prompt_id": task.id, "client_id": task.id}
        if task.kind == PAID and self._partner_key:
            body["extra_data"] = {"api_key_comfy_org": self._partner_key}
        if options.is_first:
            body["front"] = True
        http_request = HttpRequest("POST", "/prompt", is_submit=True, body=body)
        try:
            with raise_rejection_errors():
                return await self._send(task, http_request)
        except SubmitUnconfirmed as lost:
            if await self._has_arrived(task, lost):
                return task
        return await self._send(task, http_request)

    async def _send(self, task: UpstreamTask, http_request: HttpRequest) -> UpstreamTask:
        answer = await self._session.send(http_request)
        match answer:
            case {"prompt_id": str(prompt_id)}:
                # Servers before 2025 make the id themselves (contract: comfy.prompt_id).
                queued = UpstreamTask(prompt_id, task.kind)
            case _:
                raise self._session.client.build_unreadable_error(http_request)
        if problems := format_node_errors(answer.get("node_errors")):
            await self._remove(queued)
            raise InvalidRequest(
                f"ComfyUI refuses a part of the workflow. {self._session.client.quote('; '.join(problems))}"
            )
        return queued

    async def _remove(self, task: UpstreamTask) -> None:
        """Take back what was queued without some of its outputs: for a request, that is none of it.

        (contract: errors.200_partial)
        """
        await self._session.exchange(HttpRequest("POST", "/queue", body={"delete": [task.id]}))

    async def _has_arrived(self, task: UpstreamTask, lost: SubmitUnconfirmed) -> bool:
        """Whether a job that was sent without an answer is there; raises ``lost`` where nobody can tell."""
        try:
            found = await self._search.find_after_silence(task)
        except (AtelierError, Rejection):
            raise lost from None
        # Where a second one would be paid for, no search is sure enough.
        if not found and task.kind == PAID:
            raise lost
        return found
