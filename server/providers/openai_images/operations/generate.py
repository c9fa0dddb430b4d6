"""Pictures from words, or from words and pictures."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.openai_images.advanced import get_options
from atelier_mcp.server.providers.openai_images.drawing import SOURCE_RULE
from atelier_mcp.server.providers.openai_images.payload import DrawingFields
from atelier_mcp.server.providers.openai_images.size_rules import plan_frame
from atelier_mcp.server.providers.operation import JobOperation
from atelier_mcp.server.providers.plan_defaults import build_uniform_rules, refuse_unsupported_fields
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.sizes import complete_size, parse_aspect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Finish, Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitAnswer, SubmitCall
    from atelier_mcp.server.providers.openai_images.drawing import OpenaiDrawing
    from atelier_mcp.server.providers.openai_images.size_rules import SizeRule

SUPPORTED_FIELDS: Final = frozenset(
    {"prompt", "negative_prompt", "image", "width", "height", "aspect", "samples", "seed", "model", "steps", "guidance",
     "enhance_prompt", "advanced"}
)  # fmt: skip


class OpenaiGeneration(JobOperation[GenerateImage]):
    """``generate_image``."""

    request_type = GenerateImage

    def __init__(self, drawing: OpenaiDrawing) -> None:
        """Draw by ``drawing``."""
        self._drawing = drawing

    async def plan(self, request: GenerateImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With model and size filled in; what the model draws in another size is cropped by ourselves."""
        server, service = self._drawing.server, self._drawing.session.client.service
        refuse_unsupported_fields(request, service=service, supported=SUPPORTED_FIELDS)
        model = await self._drawing.choose_model(request.model)
        self._drawing.check_wishes(request, model)
        more_images = get_options(request.advanced).more_images
        image_count = bool(request.image) + len(more_images)
        if more_images and not request.image:
            raise InvalidRequest("advanced.more_images: give the first one as image.")
        if image_count > server.max_images:
            raise InvalidRequest(f"advanced.more_images: {service} takes {server.max_images} pictures in all.")
        wanted = _find_wanted_size(request)
        sent, finish = _choose_sent_size(wanted, headers.get("image"), model.sizes)
        planned = request.model_copy(update={"model": model.id, "aspect": None, **_name_size(wanted)})
        drawn = f"drawn at {sent[0]}x{sent[1]}" if sent and sent != wanted else ""
        note = ", ".join(word for word in (f"model {model.id}" if request.model != model.id else "", drawn) if word)
        return Plan(
            planned,
            build_uniform_rules(request, SOURCE_RULE),
            notes=(note,),
            sent_request=planned.model_copy(update=_name_size(sent)),
            finish=finish,
            price=self._drawing.find_price(model),
            expected_tokens=self._drawing.expect_tokens(request, sent, source_count=image_count),
            has_unchecked_ids=not model.is_checked,
            needs_seed=bool(server.seed_field),
        )

    async def submit(self, request: GenerateImage, images: Mapping[str, str], call: SubmitCall) -> SubmitAnswer:
        """Send it; the answer is the pictures."""
        model = self._drawing.get_model(request.model or "")
        size = (request.width, request.height) if request.width and request.height else None
        drawing = DrawingFields(
            model=model.id,
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            sent_size=size,
            count=request.samples,
            seed=request.seed,
            steps=request.steps,
            guidance=request.guidance,
            extends_prompt=request.enhance_prompt,
            streams=self._drawing.allows_stream(model, request.samples),
            options=self._drawing.build_options(request, model),
            images=[await asyncio.to_thread(b64decode, images[place]) for place in _sort_places(images)],
        )
        return await self._drawing.draw(drawing, model, call)


def _sort_places(images: Mapping[str, str]) -> list[str]:
    """The source first, then the others in the caller's order."""
    more = [place for place in images if place != "image"]
    return [*(["image"] if "image" in images else []), *sorted(more, key=lambda place: (len(place), place))]


def _find_wanted_size(request: GenerateImage) -> Size | None:
    """The size that the caller has said; None where it is left open."""
    if request.width and request.height:
        return request.width, request.height
    if request.aspect and (request.width or request.height):
        return complete_size(request.width, request.height, parse_aspect(request.aspect))
    if request.width or request.height:
        side = request.width or request.height or 0
        return side, side
    return None


def _choose_sent_size(
    wanted: Size | None, source: ImageHeader | None, sizes: SizeRule | None
) -> tuple[Size | None, Finish | None]:
    """The size that is asked for, and what makes the wanted one of it."""
    if sizes is None:
        return None, plan_frame(wanted, wanted) if wanted else None
    if wanted is not None:
        sent = sizes.find(wanted)
        return sent, plan_frame(wanted, sent)
    if source is None:
        return sizes.default, None
    # An explicit size near the source's shape: how ``auto`` follows it is not said (contract: edits.size_auto).
    area = sizes.default[0] * sizes.default[1]
    scale = (area / (source.width * source.height)) ** 0.5
    return sizes.find((max(1, round(source.width * scale)), max(1, round(source.height * scale)))), None


def _name_size(size: Size | None) -> dict[str, int | None]:
    return {"width": size[0] if size else None, "height": size[1] if size else None}
