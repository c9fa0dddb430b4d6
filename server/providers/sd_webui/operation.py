"""What a WebUI's operations share: one server, one call at a time, and a task id for each call.

The call is the job: it blocks until the pictures are there, goes on when the client leaves, and nobody can take back a
call that waits in the server's own queue (contract: conventions.synchronous). So one call is in flight, and the others
wait here, where they can be cancelled.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.operation import JobOperation, NamedJobOperation, RequestT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ProgressCallback, TaskSucceeded
    from atelier_mcp.server.providers.sd_webui.call_watch import SdWebuiCallWatch
    from atelier_mcp.server.providers.sd_webui.model_list import SdWebuiModelList
    from atelier_mcp.server.providers.sd_webui.server_facts import SdWebuiProbe
    from atelier_mcp.server.providers.sd_webui.session import SdWebuiSession
    from atelier_mcp.server.providers.sd_webui.spec import SdWebuiSettings

TASK_KIND: Final = "drawing"
SIDE_STEP_PX: Final = 8
MIN_SIDE_PX: Final = 64
MAX_SOURCE_PX: Final = 8192
SOURCE_RULE: Final = ImageRule(
    min_side_px=MIN_SIDE_PX,
    max_side_px=MAX_SOURCE_PX,
    # Base64 adds a third, and a request stays under 50 MB (contract: post_body_size).
    max_bytes=24_000_000,
    deliveries=(DeliveryMethod.BASE64,),
)


@dataclass(frozen=True, slots=True)
class SdWebuiAccount:
    """One server and all that is asked of it."""

    settings: SdWebuiSettings
    session: SdWebuiSession
    probe: SdWebuiProbe
    model_list: SdWebuiModelList
    watch: SdWebuiCallWatch
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """The one call at a time that the server works on (contract: durable)."""

    async def call(
        self, path: str, body: Mapping[str, Any], *, task_id: str, report: ProgressCallback
    ) -> dict[str, Any]:
        """The answer of a drawing call, whose progress is told on the way."""
        facts = await self.probe.get()
        named_body = {**body, "force_task_id": task_id} if facts.takes_task_ids else dict(body)
        report(None, "sent")
        return await self.watch.follow(
            self.session.submit(path, named_body), task_id=task_id, takes_task_ids=facts.takes_task_ids, report=report
        )

    async def find_checkpoint(self, name: str | None) -> str | None:
        """The checkpoint that a caller or the settings name; None for the one that is loaded."""
        if name is not None:
            return await self.model_list.find("checkpoint", name, place="model")
        if self.settings.checkpoint:
            return await self.model_list.find("checkpoint", self.settings.checkpoint, place="SD_WEBUI_CHECKPOINT")
        return None

    async def describe_checkpoint(self, checkpoint: str | None) -> str:
        """Who draws, and with which checkpoint."""
        facts = await self.probe.get()
        return await self.describe_choice(checkpoint or facts.loaded_checkpoint.partition(" [")[0])

    async def describe_choice(self, model: str | None = None) -> str:
        """Who does it, and with which model."""
        facts = await self.probe.get()
        using = f" with {model}" if model else ""
        return f"{facts.title} at {self.session.client.host}{using}"


class SdWebuiOperation(JobOperation[RequestT]):
    """One capability of a WebUI whose call has no task there, so that it is neither followed nor stopped."""

    def __init__(self, account: SdWebuiAccount) -> None:
        """Work for this account."""
        self._account = account
        self.call_slots: asyncio.Semaphore | None = account.slots


class SdWebuiDrawing(NamedJobOperation[RequestT]):
    """One capability of a WebUI that draws, as a task of our naming."""

    def __init__(self, account: SdWebuiAccount) -> None:
        """Work for this account."""
        self._account = account
        self.call_slots: asyncio.Semaphore | None = account.slots

    @abstractmethod
    async def draw(
        self, request: RequestT, images: Mapping[str, str], *, task_id: str, report: ProgressCallback
    ) -> TaskSucceeded:
        """Do the work under this task id; ``images`` holds base64 by place. Raises as ``submit`` does."""

    async def name_task(self, request: RequestT, job_id: str) -> UpstreamTask:  # noqa: ARG002  # the base's signature
        """Named after the job."""
        return UpstreamTask(build_task_id(job_id), TASK_KIND)

    async def submit_as(
        self, task: UpstreamTask, request: RequestT, images: Mapping[str, str], report: ProgressCallback
    ) -> TaskSucceeded:
        """The call is the job, and its answer the pictures."""
        return await self.draw(request, images, task_id=task.id, report=report)

    async def stop_call(self, job_id: str) -> bool:
        """Interrupt the job where it is certain that it is the one at work."""
        return await self._account.watch.stop(build_task_id(job_id))


def build_task_id(job_id: str) -> str:
    """The service's name for a job (contract: internal.prefix)."""
    return f"task({job_id})"


def get_size(header: ImageHeader) -> Size:
    """Width and height of a picture."""
    return header.width, header.height


def round_up(size: Size) -> Size:
    """The next size in steps of eight (contract: txt2img.sizes)."""
    width, height = (max(MIN_SIDE_PX, -(-side // SIDE_STEP_PX) * SIDE_STEP_PX) for side in size)
    return width, height
