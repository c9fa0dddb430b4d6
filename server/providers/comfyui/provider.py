"""A ComfyUI behind the provider protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError, InvalidRequest
from atelier_mcp.server.providers.base import ServiceReport
from atelier_mcp.server.providers.comfyui.job_search import JobSearch
from atelier_mcp.server.providers.comfyui.model_list import LOADERS, MODEL_KINDS, ComfyuiModelList
from atelier_mcp.server.providers.comfyui.node_list import NodeList
from atelier_mcp.server.providers.comfyui.operations.generate import ComfyuiGeneration
from atelier_mcp.server.providers.comfyui.operations.inpaint import ComfyuiInpainting
from atelier_mcp.server.providers.comfyui.operations.upscale import ComfyuiUpscaling
from atelier_mcp.server.providers.comfyui.progress_watch import ProgressWatch
from atelier_mcp.server.providers.comfyui.server import ComfyuiServer
from atelier_mcp.server.providers.comfyui.session import ComfyuiSession
from atelier_mcp.server.providers.comfyui.spec import is_cloud
from atelier_mcp.server.providers.comfyui.submitting import PromptQueue
from atelier_mcp.server.providers.comfyui.task_poller import ComfyuiTaskPoller
from atelier_mcp.server.providers.comfyui.workflow_folder import WorkflowFolder
from atelier_mcp.server.providers.faults import Rejection, raise_rejection_errors
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.upstream import UpstreamProvider

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.base import ModelPage, TaskSnapshot, UpstreamTask

SERVICE_NAME: Final = "ComfyUI"


class ComfyuiProvider(UpstreamProvider):
    """One ComfyUI."""

    def __init__(
        self,
        *,
        base_url: str,
        clock: Clock,
        api_key: str = "",
        partner_key: str = "",
        default_checkpoint: str = "",
        workflow_folder: str = "",
        is_local: bool = False,
        is_emulated: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Hold the address; nothing is opened before the first request, and nothing need run there.

        ``is_local`` is set for a server on this machine, ``is_emulated`` for the built-in emulator; ``transport``
        replaces the network in tests.
        """
        client = UpstreamClient(
            service=SERVICE_NAME,
            base_url=base_url,
            address_variable="COMFYUI_URL",
            clock=clock,
            secrets=tuple(secret for secret in (api_key, partner_key) if secret),
            is_local=is_local,
            transport=transport,
        )
        session = ComfyuiSession(client, api_key=api_key, is_cloud=is_cloud(base_url))
        self._search = JobSearch(session)
        self._session = session
        self._server = ComfyuiServer(
            session=session,
            nodes=NodeList(session),
            queue=PromptQueue(session, self._search, partner_key=partner_key),
            workflows=WorkflowFolder(workflow_folder),
            default_checkpoint=default_checkpoint,
        )
        self._model_list = ComfyuiModelList(session, self._server.nodes, self._server.workflows)
        super().__init__(
            name="comfyui",
            # Whoever reaches the address may use it: the key alone tells accounts of the cloud apart.
            account_key=api_key or base_url,
            client=client,
            operations=(
                ComfyuiGeneration(self._server),
                ComfyuiInpainting(self._server),
                ComfyuiUpscaling(self._server),
            ),
            model_kinds=MODEL_KINDS,
            is_emulated=is_emulated,
            # Without a key nobody can be charged for a partner's node: a workflow that has one fails.
            is_free=not session.is_cloud and not partner_key,
        )
        self._watch = ProgressWatch(session)
        self._poller = ComfyuiTaskPoller(
            session, self._search, watch=self._watch, rate_limit=self.poll_rate_limit, clock=clock
        )

    def batch_size(self, kind: str) -> int:
        """How many one answer covers."""
        return self._poller.batch_size(kind)

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """What is known of the tasks, by id."""
        return await self._poller.poll(tasks)

    async def cancel(self, task: UpstreamTask) -> bool:
        """Take it out of the queue, or interrupt it: only when it is certainly the one that runs.

        Older servers stop whatever runs (contract: comfy.interrupt).
        """
        queue = await self._search.read_queue()
        if task.id in queue.waiting:
            await self._session.exchange(HttpRequest("POST", "/queue", body={"delete": [task.id]}))
        elif task.id in queue.running:
            await self._session.exchange(HttpRequest("POST", "/interrupt", body={"prompt_id": task.id}))
        else:
            return False
        return True

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # none is for one checkpoint
        """Files of one kind, or the workflows of the folder."""
        if kind not in MODEL_KINDS:
            raise InvalidRequest(f"ComfyUI has no list of {kind}.", hint=f"It has {', '.join(MODEL_KINDS)}.")
        return await self._model_list.list_page(kind, offset=offset, limit=limit)

    async def close(self) -> None:
        """Stop listening, and give up connections."""
        await self._watch.close()
        await super().close()

    async def report(self) -> ServiceReport:
        """Version, nodes, models and what waits there."""
        with raise_rejection_errors():
            return await self._build_report()

    async def _build_report(self) -> ServiceReport:
        stats = await self._session.send(HttpRequest("GET", "/system_stats"))
        version = _find_version(stats)
        node_count = await self._server.nodes.count_classes()
        counts = {kind: len(await self._server.nodes.list_choices(*LOADERS[kind], refresh=True)) for kind in LOADERS}
        waiting = await self._count_waiting()
        parts = [
            f"version {version}" if version else "of unknown version",
            f"{node_count} nodes",
            ", ".join(f"{count} {kind}s" for kind, count in counts.items()),
            f"{len(self._server.workflows.list_workflows())} workflows",
            *([f"{waiting} in its queue"] if waiting else []),
        ]
        return ServiceReport(", ".join(parts), tuple(self._list_served(counts)))

    def _list_served(self, counts: Mapping[str, int]) -> list[str]:
        """The capabilities that the files there are enough for."""
        can_draw = counts["checkpoint"] > 0
        served = {
            "generate_image": can_draw or bool(self._server.workflows.list_workflows()),
            "inpaint_image": can_draw,
            "upscale_image": counts["upscale"] > 0,
        }
        return [name for name, is_served in served.items() if is_served]

    async def _count_waiting(self) -> int | None:
        try:
            document = await self._session.send(HttpRequest("GET", "/prompt"))
            return int(document["exec_info"]["queue_remaining"])
        except (AtelierError, Rejection, KeyError, TypeError, ValueError):
            return None


def _find_version(stats: object) -> str:
    match stats:
        case {"system": {"comfyui_version": str(version)}}:
            return version
        case _:
            return ""
