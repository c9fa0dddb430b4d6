"""What every job at ComfyUI is: pictures uploaded, a graph built around their names, and that queued."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, TypeVar

from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.comfyui.submitting import FREE, PAID, QueueOptions, name_prompt
from atelier_mcp.server.providers.comfyui.uploads import upload_all
from atelier_mcp.server.providers.operation import NamedJobOperation
from atelier_mcp.server.requests.base import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.comfyui.graph import Graph
    from atelier_mcp.server.providers.comfyui.server import ComfyuiServer
    from atelier_mcp.server.providers.comfyui.uploads import UploadedImage
    from atelier_mcp.server.requests.prompt_notations import PromptNotation

RequestT = TypeVar("RequestT", bound=Request)


class ComfyuiOperation(NamedJobOperation[RequestT]):
    """One capability at one ComfyUI."""

    # Choices in braces are read by its page alone, not by its API.
    prompt_notations: ClassVar[frozenset[PromptNotation]] = frozenset({"weights", "embeddings"})

    def __init__(self, server: ComfyuiServer) -> None:
        """Draw at ``server``."""
        self._server = server

    @abstractmethod
    async def build_graph(self, request: RequestT, images: Mapping[str, UploadedImage]) -> Graph:
        """The graph of a planned request; ``images`` are its pictures at ComfyUI, by place."""

    async def is_paid(self, request: RequestT) -> bool:  # noqa: ARG002  # for those below
        """Whether it costs credits."""
        return self._server.is_cloud

    def get_queue_options(self, request: RequestT) -> QueueOptions:  # noqa: ARG002  # for those below
        """How it is queued."""
        return QueueOptions()

    async def name_task(self, request: RequestT, job_id: str) -> UpstreamTask:
        """A prompt id made of the job's (contract: durable.before)."""
        return UpstreamTask(name_prompt(job_id), PAID if await self.is_paid(request) else FREE)

    async def submit_as(
        self,
        task: UpstreamTask,
        request: RequestT,
        images: Mapping[str, str],
        report: ProgressCallback,  # noqa: ARG002  # it takes no time
    ) -> UpstreamTask:
        """Queue it; ``images`` maps each place to base64."""
        graph = await self.build_graph(request, await upload_all(self._server.session, images))
        return await self._server.queue.put(task, graph, self.get_queue_options(request))
