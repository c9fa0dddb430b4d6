"""A marked part of a picture drawn anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.images.placement import fit_within
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.sd_webui.generation_body import IMAGE_PATH, PROMPT_NOTATIONS, build_inpainting
from atelier_mcp.server.providers.sd_webui.operation import SOURCE_RULE, SdWebuiDrawing, get_size, round_up
from atelier_mcp.server.providers.sd_webui.results import read_images
from atelier_mcp.server.requests.edit import InpaintImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ProgressCallback, TaskSucceeded
    from atelier_mcp.server.requests.prompt_notations import PromptNotation

DEFAULT_STEPS: Final = 30
DEFAULT_GUIDANCE: Final = 7.0
MASK_RULE: Final = replace(SOURCE_RULE, same_ratio_as="image")


class SdWebuiInpainting(SdWebuiDrawing[InpaintImage]):
    """``inpaint_image``: the marked part alone is worked on, with some of what surrounds it."""

    request_type = InpaintImage
    prompt_notations: ClassVar[frozenset[PromptNotation]] = PROMPT_NOTATIONS

    async def plan(self, request: InpaintImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With checkpoint, steps and guidance; the result has the source's size."""
        checkpoint = await self._account.find_checkpoint(request.model)
        planned = request.model_copy(
            update={
                "model": checkpoint,
                "steps": request.steps or DEFAULT_STEPS,
                "guidance": request.guidance or DEFAULT_GUIDANCE,
            }
        )
        unheard = (
            "a WebUI extends and translates no prompts" if request.enhance_prompt or request.translate_prompt else ""
        )
        return Plan(
            planned,
            {"image": SOURCE_RULE, "mask": MASK_RULE},
            (await self._account.describe_checkpoint(checkpoint), unheard),
            finish=Reframe(size=get_size(headers["image"])),
            needs_seed=True,
        )

    async def draw(
        self, request: InpaintImage, images: Mapping[str, str], *, task_id: str, report: ProgressCallback
    ) -> TaskSucceeded:
        """One call for all samples."""
        facts = await self._account.probe.get()
        body = build_inpainting(request, images, facts, await self._choose_size(images["image"]))
        answer = await self._account.call(IMAGE_PATH, body, task_id=task_id, report=report)
        return await read_images(self._account.session, body, answer, count=request.samples)

    async def _choose_size(self, image: str) -> Size:
        """The size the marked part is worked on in: the source's sides, as far as the card can draw them."""
        from atelier_mcp.server.providers.sd_webui.canvas import measure

        max_side_px = self._account.settings.max_side_px
        size = await measure(image)
        return round_up(size if max(size) <= max_side_px else fit_within(size, (max_side_px, max_side_px)))
