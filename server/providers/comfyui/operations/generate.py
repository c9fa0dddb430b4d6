"""``generate_image``: by a built-in workflow, or by one of the user's own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.comfyui import templates
from atelier_mcp.server.providers.comfyui.controls import choose_guides
from atelier_mcp.server.providers.comfyui.families import find_family
from atelier_mcp.server.providers.comfyui.operation import ComfyuiOperation
from atelier_mcp.server.providers.comfyui.options import read_options
from atelier_mcp.server.providers.comfyui.own_workflows import OwnWorkflows
from atelier_mcp.server.providers.comfyui.sizes import choose_drawn_size, crop_to, round_up
from atelier_mcp.server.providers.comfyui.submitting import QueueOptions
from atelier_mcp.server.providers.comfyui.templates import Drawing
from atelier_mcp.server.providers.comfyui.uploads import SOURCE_RULE
from atelier_mcp.server.providers.plan_defaults import (
    build_uniform_rules,
    format_choices,
    refuse_unsupported_fields,
)
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.comfyui.graph import Graph
    from atelier_mcp.server.providers.comfyui.options import ComfyuiOptions
    from atelier_mcp.server.providers.comfyui.server import ComfyuiServer
    from atelier_mcp.server.providers.comfyui.uploads import UploadedImage

SUPPORTED_FIELDS: Final = frozenset({
    "prompt", "negative_prompt", "image", "strength", "width", "height", "aspect", "samples", "seed", "model", "steps",
    "guidance", "controls", "loras", "advanced",
})  # fmt: skip


class ComfyuiGeneration(ComfyuiOperation[GenerateImage]):
    """Pictures from words, or from a picture and words."""

    request_type = GenerateImage

    def __init__(self, server: ComfyuiServer) -> None:
        """Draw at ``server``."""
        super().__init__(server)
        self._own_workflows = OwnWorkflows(server)

    async def plan(self, request: GenerateImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With checkpoint, files, size, steps and guidance; a workflow of the user's own decides these itself."""
        if request.workflow is not None or request.workflow_inputs is not None:
            return await self._own_workflows.plan(request)
        refuse_unsupported_fields(request, service="ComfyUI", supported=SUPPORTED_FIELDS)
        options = read_options(request)
        checkpoint = await self._server.choose_checkpoint(request.model)
        family = find_family(checkpoint)
        width, height = size = choose_drawn_size(request, headers.get("image"), family)
        sent_size = round_up(size)
        planned = request.model_copy(
            update={
                "model": checkpoint,
                "width": width,
                "height": height,
                "aspect": None,
                "steps": request.steps or family.steps,
                "guidance": request.guidance or family.guidance,
                **await self._choose_files(request, options, checkpoint),
            }
        )
        await choose_guides(self._server, request.controls, {})
        notes = (format_choices(request, planned),)
        return Plan(
            planned,
            build_uniform_rules(planned, SOURCE_RULE),
            notes,
            sent_request=planned.model_copy(update={"width": sent_size[0], "height": sent_size[1]}),
            finish=crop_to(size, sent_size),
            image_count=None if self._server.is_cloud else 0,
            needs_seed=True,
        )

    async def is_paid(self, request: GenerateImage) -> bool:
        """A workflow with a partner's node costs credits on any server."""
        return self._server.is_cloud or await self._own_workflows.is_paid(request)

    def get_queue_options(self, request: GenerateImage) -> QueueOptions:
        """As ``advanced`` says."""
        return QueueOptions(is_first=read_options(request).first)

    async def build_graph(self, request: GenerateImage, images: Mapping[str, UploadedImage]) -> Graph:
        """From words alone or with the source, guided by the controls."""
        if request.workflow is not None:
            return await asyncio.to_thread(self._own_workflows.build_graph, request, images)
        drawing = build_drawing(request)
        size = (request.width or 0, request.height or 0)
        guides = await choose_guides(self._server, request.controls, images)
        if "image" in images:
            return templates.build_image_to_image(drawing, size, images["image"].name, guides)
        return templates.build_text_to_image(drawing, size, guides)

    async def _choose_files(self, request: GenerateImage, options: ComfyuiOptions, checkpoint: str) -> dict[str, Any]:
        """LoRAs, VAE, sampler and scheduler by the server's own names."""
        loras = [
            lora.model_copy(
                update={
                    "model": await self._server.choose_file(
                        "lora", lora.model, place=format_place("loras", index, "model")
                    )
                }
            )
            for index, lora in enumerate(request.loras)
        ]
        sampler, scheduler = await self._server.choose_sampling(checkpoint, options.sampler_name, options.scheduler)
        vae = options.vae and await self._server.choose_file("vae", options.vae, place="advanced.vae")
        chosen = options.model_copy(update={"sampler_name": sampler, "scheduler": scheduler, "vae": vae})
        return {"loras": tuple(loras), "advanced": chosen}


def build_drawing(request: GenerateImage) -> Drawing:
    """What the templates need of a planned request."""
    options = read_options(request)
    return Drawing(
        checkpoint=request.model or "",
        prompt=request.prompt,
        negative_prompt=request.negative_prompt or "",
        seed=request.seed or 0,
        samples=request.samples,
        steps=request.steps or 1,
        guidance=request.guidance or 1.0,
        sampler=options.sampler_name or "",
        scheduler=options.scheduler or "",
        denoise=request.strength if request.image else templates.FULL_DENOISE,
        vae=options.vae,
        clip_skip=options.clip_skip,
        loras=[(lora.model, lora.weight) for lora in request.loras],
    )
