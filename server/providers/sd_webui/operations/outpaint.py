"""A picture extended beyond its borders."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.outpaint_canvas import compute_canvas
from atelier_mcp.server.providers.sd_webui.canvas import pad
from atelier_mcp.server.providers.sd_webui.generation_body import FILL, IMAGE_PATH, build_masking, build_overrides
from atelier_mcp.server.providers.sd_webui.operation import SOURCE_RULE, SdWebuiDrawing, get_size, round_up
from atelier_mcp.server.providers.sd_webui.results import read_images
from atelier_mcp.server.requests.edit import OutpaintImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import ProgressCallback, TaskSucceeded

STEPS: Final = 40
GUIDANCE: Final = 7.0
STRENGTH: Final = 0.9
MAX_SEED: Final = 9_999_000


class SdWebuiOutpainting(SdWebuiDrawing[OutpaintImage]):
    """``outpaint_image``: padded and masked here, drawn there, and the source put back pixel for pixel."""

    request_type = OutpaintImage

    async def plan(self, request: OutpaintImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With the canvas in pixels; one that is too large for the card is drawn smaller and enlarged."""
        source = get_size(headers["image"])
        wanted = compute_canvas(request, source)
        scale = min(1.0, self._account.settings.max_side_px / max(wanted.size))
        drawn, sent_source, at = (_scale(pair, scale) for pair in (wanted.size, source, (wanted.x, wanted.y)))
        sent_size = round_up(drawn)
        checkpoint = await self._account.find_checkpoint(request.model)
        sides: dict[str, Any] = dict.fromkeys(("left", "right", "top", "bottom", "aspect", "scale"))
        planned = request.model_copy(update={"model": checkpoint})
        changes = {**sides, "width": sent_size[0], "height": sent_size[1], "x": at[0], "y": at[1]}
        enlarged = "" if scale == 1 else f"drawn at {drawn[0]}x{drawn[1]} and enlarged"
        return Plan(
            planned,
            {"image": SOURCE_RULE if scale == 1 else replace(SOURCE_RULE, resize_to=sent_source)},
            (await self._account.describe_checkpoint(checkpoint), str(wanted), enlarged),
            sent_request=planned.model_copy(update=changes),
            finish=Reframe(
                size=wanted.size, canvas=sent_size, region=(0, 0, *drawn), source="image", at=(wanted.x, wanted.y)
            ),
        )

    async def draw(
        self, request: OutpaintImage, images: Mapping[str, str], *, task_id: str, report: ProgressCallback
    ) -> TaskSucceeded:
        """One call for all samples, without words: there is no prompt to an outpainting."""
        size = (request.width or 0, request.height or 0)
        padded = await pad(images["image"], size, (request.x or 0, request.y or 0))
        body = {
            "prompt": "",
            "negative_prompt": "",
            "seed": choose_seed(task_id),
            "steps": STEPS,
            "cfg_scale": GUIDANCE,
            **build_overrides(request.model, None, await self._account.probe.get()),
            **build_masking(padded.image, padded.mask, size),
            "denoising_strength": STRENGTH,
            "n_iter": request.samples,
            "inpainting_fill": FILL,
            "inpaint_full_res": False,
        }
        answer = await self._account.call(IMAGE_PATH, body, task_id=task_id, report=report)
        return await read_images(self._account.session, body, answer, count=request.samples)


def choose_seed(task_id: str) -> int:
    """The seed of a job whose caller names none: ours, and the same for the same job (contract: durable)."""
    return int.from_bytes(sha256(task_id.encode()).digest()[:4]) % MAX_SEED


def _scale(pair: tuple[int, int], factor: float) -> Size:
    return (pair[0], pair[1]) if factor == 1 else (round(pair[0] * factor), round(pair[1] * factor))
