"""``inpaint_image``: a part of a picture drawn anew, everything around it as it was."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.comfyui import templates
from atelier_mcp.server.providers.comfyui.families import find_family
from atelier_mcp.server.providers.comfyui.operation import ComfyuiOperation
from atelier_mcp.server.providers.comfyui.sizes import choose_working_size
from atelier_mcp.server.providers.comfyui.templates import Drawing
from atelier_mcp.server.providers.comfyui.uploads import SOURCE_RULE
from atelier_mcp.server.providers.plan_defaults import keep_size, refuse_unsupported_fields
from atelier_mcp.server.requests.edit import InpaintImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ProgressCallback, UpstreamTask
    from atelier_mcp.server.providers.comfyui.graph import Graph
    from atelier_mcp.server.providers.comfyui.uploads import UploadedImage

SUPPORTED_FIELDS: Final = frozenset({
    "image", "mask", "shapes", "invert", "prompt", "negative_prompt", "strength", "samples", "seed", "model", "steps",
    "guidance",
})  # fmt: skip
INPAINT_WORD: Final = "inpaint"


class ComfyuiInpainting(ComfyuiOperation[InpaintImage]):
    """The marked part of a picture."""

    request_type = InpaintImage

    async def plan(self, request: InpaintImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With checkpoint, steps and guidance; the result has the source's size."""
        refuse_unsupported_fields(request, service="ComfyUI", supported=SUPPORTED_FIELDS)
        await self._server.check_nodes("LoadImageMask", "ImageCompositeMasked", "ImageScale")
        checkpoint = await self._server.choose_checkpoint(request.model)
        family = find_family(checkpoint)
        update = {
            "model": checkpoint,
            "steps": request.steps or family.steps,
            "guidance": request.guidance or family.guidance,
        }
        planned = request.model_copy(update=update)
        source_size = SOURCE_RULE.fit_size((headers["image"].width, headers["image"].height))
        rules = {"image": SOURCE_RULE, "mask": replace(SOURCE_RULE, same_ratio_as="image", resize_to=source_size)}
        notes = (f"model {checkpoint}",) if request.model != checkpoint else ()
        return Plan(
            planned,
            rules,
            notes,
            finish=keep_size(headers["image"], SOURCE_RULE),
            image_count=None if self._server.is_cloud else 0,
            needs_seed=True,
        )

    async def submit_as(
        self, task: UpstreamTask, request: InpaintImage, images: Mapping[str, str], report: ProgressCallback
    ) -> UpstreamTask:
        """With the mask the other way round: ours is black where it is drawn anew (contract: inpaint)."""
        mask = await asyncio.to_thread(_invert, images["mask"])
        return await super().submit_as(task, request, {**images, "mask": mask}, report)

    async def build_graph(self, request: InpaintImage, images: Mapping[str, UploadedImage]) -> Graph:
        """By the checkpoint's way of inpainting."""
        checkpoint, size = request.model or "", images["image"].size
        sampler, scheduler = await self._server.choose_sampling(checkpoint, None, None)
        is_inpaint_model = INPAINT_WORD in checkpoint.lower()
        drawing = Drawing(
            checkpoint=checkpoint,
            prompt=request.prompt,
            negative_prompt=request.negative_prompt or "",
            seed=request.seed or 0,
            samples=request.samples,
            steps=request.steps or 1,
            guidance=request.guidance or 1.0,
            sampler=sampler,
            scheduler=scheduler,
            denoise=templates.FULL_DENOISE if is_inpaint_model else request.strength,
        )
        return templates.build_inpainting(
            drawing,
            size,
            choose_working_size(size, find_family(checkpoint)),
            source=images["image"].name,
            mask=images["mask"].name,
            is_inpaint_model=is_inpaint_model,
        )


def _invert(mask: str) -> str:
    """A mask in base64, black and white exchanged."""
    from atelier_mcp.server.images.masks import invert_mask

    return base64.b64encode(invert_mask(base64.b64decode(mask))).decode()
