"""What Miaohua's operations have in common: images are uploaded first, and a submit may have to wait for a slot."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import SubmitUnconfirmed
from atelier_mcp.server.images.exchange import DeliveryMethod, ImageRule
from atelier_mcp.server.providers.base import Plan, UpstreamTask
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.errors import MiaohuaRejection
from atelier_mcp.server.providers.miaohua.wire import find_text
from atelier_mcp.server.providers.operation import JobOperation, RequestT
from atelier_mcp.server.providers.plan_defaults import build_uniform_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.base import SubmitCall, TaskSucceeded
    from atelier_mcp.server.providers.miaohua.dataset_images import DatasetImages
    from atelier_mcp.server.providers.miaohua.image_uploader import MiaohuaImageUploader
    from atelier_mcp.server.providers.miaohua.model_list import MiaohuaModelList
    from atelier_mcp.server.providers.miaohua.session import MiaohuaSession
    from atelier_mcp.server.providers.miaohua.submit_queue import MiaohuaSubmitQueue
    from atelier_mcp.server.requests.base import Request

IMAGE_RULE = ImageRule(max_side_px=6144, max_bytes=5_000_000, deliveries=(DeliveryMethod.UPLOAD,))
"""What the upload takes (contract: limits.upload); every image goes through it (contract: task_submit.init_img)."""
SUBMIT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class MiaohuaAccount:
    """What the operations of one account work with."""

    session: MiaohuaSession
    model_list: MiaohuaModelList
    uploader: MiaohuaImageUploader
    submit_queue: MiaohuaSubmitQueue
    dataset_images: DatasetImages


@dataclass(frozen=True, slots=True)
class MiaohuaPayload:
    """One submit: where to, with what, and which kind of task comes of it."""

    path: str
    task_kind: str
    """One of ``MiaohuaTaskPoller``'s kinds."""
    body: dict[str, Any]


class MiaohuaOperation(JobOperation[RequestT]):
    """One capability that makes a task at Miaohua; a subclass has its plan and its payload."""

    def __init__(self, account: MiaohuaAccount) -> None:
        """Work for this account."""
        self._account = account

    @abstractmethod
    async def build_payload(self, request: RequestT, links: Mapping[str, str]) -> MiaohuaPayload:
        """The submit for a planned request; ``links`` holds the link of each uploaded image, by place."""

    async def submit(
        self, request: RequestT, images: Mapping[str, str], call: SubmitCall
    ) -> UpstreamTask | TaskSucceeded:
        """Upload the images, given as base64, and send; waits while an image is checked or no slot is free."""
        if images:
            call.report(None, "uploading")
        # uploads and data sets cost nothing: whatever fails here, the submit was certainly not sent
        payload = await self.build_payload(request, await self._account.uploader.upload_all(images))
        http_request = HttpRequest(
            "POST", payload.path, is_submit=True, body=payload.body, read_timeout_s=SUBMIT_TIMEOUT_S
        )
        async with self._account.submit_queue.join(call.report) as place:
            while True:
                try:
                    document = await self._account.session.send(http_request)
                    break
                # A refusal is certain: what it refused was not taken, so waiting and sending again pays once.
                except MiaohuaRejection as err:
                    await place.wait_after(err)
        task_id = find_text(document, "task_id")
        if not task_id:
            raise SubmitUnconfirmed("Miaohua answered the submit without a task id.")
        return UpstreamTask(task_id, payload.task_kind)


def build_plan(planned: Request, notes: tuple[str, ...] = (), *, has_unchecked_ids: bool = False) -> Plan:
    """The plan for a request whose images are all uploaded; ``has_unchecked_ids`` as ``Plan`` has it."""
    rules = build_uniform_rules(planned, IMAGE_RULE)
    return Plan(planned, rules, notes, has_unchecked_ids=has_unchecked_ids)
