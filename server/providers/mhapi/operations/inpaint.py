"""Painting a marked part of an image anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import (
    IMAGE_AND_MASK_RULES,
    IMAGE_RULE,
    build_seed_notes,
    check_seed,
    check_width,
    choose_service_model,
)
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.providers.plan_defaults import keep_size
from atelier_mcp.server.requests.edit import InpaintImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader

DEFAULT_MODEL = "inpaint_v0.1"
MAX_SEED = 9_999_998
"""One digit shorter in the contract; the smaller range is safe (contract: inpaint.imgen.seed_range)."""


class MhapiInpainting(MhapiOperation[InpaintImage]):
    """``inpaint_image``."""

    request_type = InpaintImage

    async def plan(self, request: InpaintImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its model; the result has the source's size."""
        # One digit less than elsewhere (contract: imgenstd.imgen.seed_range).
        check_seed(request.seed, request.samples, MAX_SEED)
        check_width("prompt", request.prompt)
        check_width("negative_prompt", request.negative_prompt)
        model, notes = await choose_service_model(self._model_list, "inpaint", request.model, default_id=DEFAULT_MODEL)
        planned = request.model_copy(update={"model": model})
        finish = keep_size(headers["image"], IMAGE_RULE)
        return Plan(planned, IMAGE_AND_MASK_RULES, (*notes, *build_seed_notes(request.seed)), finish=finish)

    def build_payload(self, request: InpaintImage, links: Mapping[str, str]) -> MhapiPayload:
        """A switch that is off is left out, as in every sample."""
        body = {
            "model_id": request.model,
            "img_url": get_link(links, "image"),
            "mask_img_url": get_link(links, "mask"),
            "samples": request.samples,
            "prompt": request.prompt,
            "neg_prompt": request.negative_prompt,
            "force_translation": request.translate_prompt or None,
            "add_prompt": request.enhance_prompt or None,
            "repaint_strength": request.strength,
            "cfg_scale": request.guidance,
            "seed": request.seed,
            "steps": request.steps,
            **build_output_options(request),
        }
        return MhapiPayload("/v1/inpaint/imgen", "inpaint", body)
