"""Continuing an image beyond its borders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.miaohua.operation import MiaohuaOperation, MiaohuaPayload, build_plan
from atelier_mcp.server.providers.miaohua.task_poller import IMAGE_TASK
from atelier_mcp.server.requests.edit import OutpaintImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan

RATIOS = (1.25, 1.5, 2.0)
DEFAULT_RATIO = 1.5
FAST = 1


class MiaohuaOutpainting(MiaohuaOperation[OutpaintImage]):
    """``outpaint_image``."""

    request_type = OutpaintImage

    async def plan(self, request: OutpaintImage, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """With its ratio: three of them and nine places are all there is (contract: task_submit.outpaint_config)."""
        if request.width is not None:
            raise InvalidRequest("width, height: Miaohua extends by a ratio only; give ratio and position instead.")
        if request.model is not None:
            raise InvalidRequest("model: Miaohua has one way to extend pictures; leave it out.")
        ratio = request.ratio or DEFAULT_RATIO
        if ratio not in RATIOS:
            raise InvalidRequest(f"ratio: Miaohua extends by {', '.join(f'{r:g}' for r in RATIOS)}; not by {ratio:g}.")
        notes = () if request.ratio else (f"ratio {ratio:g}",)
        return build_plan(request.model_copy(update={"ratio": ratio}), notes)

    async def build_payload(self, request: OutpaintImage, links: Mapping[str, str]) -> MiaohuaPayload:
        """As the one printed sample has it.

        Neither a model nor a size belongs to it (contract: task_submit.outpaint_config, task_submit.enable_lcm).
        """
        body = {
            "prompt": "",
            "n_images": request.samples,
            "outpaint_config": {
                "src_img": links["image"],
                "outpaint_ratio": request.ratio,
                "align_position": request.position,
            },
            "enable_lcm": FAST,
        }
        return MiaohuaPayload("/task_submit", IMAGE_TASK, body)
