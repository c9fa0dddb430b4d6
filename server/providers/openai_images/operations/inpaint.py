"""Painting a marked part of a picture anew."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.finish_plan import Patch, Reframe
from atelier_mcp.server.images.masks import to_portable_mask
from atelier_mcp.server.providers.base import Plan, SubmitCall
from atelier_mcp.server.providers.openai_images.advanced import get_options
from atelier_mcp.server.providers.openai_images.drawing import SOURCE_RULE
from atelier_mcp.server.providers.openai_images.payload import DrawingFields
from atelier_mcp.server.providers.operation import JobOperation
from atelier_mcp.server.providers.plan_defaults import refuse_unsupported_fields
from atelier_mcp.server.requests.edit import InpaintImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitAnswer
    from atelier_mcp.server.providers.openai_images.drawing import ChosenModel, OpenaiDrawing

SUPPORTED_FIELDS: Final = frozenset(
    {"prompt", "negative_prompt", "image", "mask", "shapes", "invert", "samples", "seed", "model", "steps", "guidance",
     "enhance_prompt", "advanced"}
)  # fmt: skip


class OpenaiInpainting(JobOperation[InpaintImage]):
    """``inpaint_image``. The model takes a mask as guidance only: what lies beyond it is put back by ourselves."""

    request_type = InpaintImage

    def __init__(self, drawing: OpenaiDrawing) -> None:
        """Draw by ``drawing``."""
        self._drawing = drawing

    async def plan(self, request: InpaintImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its model; picture and mask in a size that the model draws, the result in the picture's own."""
        service = self._drawing.session.client.service
        refuse_unsupported_fields(request, service=service, supported=SUPPORTED_FIELDS)
        model = await self._drawing.choose_model(request.model)
        self._drawing.check_wishes(request, model)
        if get_options(request.advanced).more_images:
            raise InvalidRequest("advanced.more_images: inpaint_image works on one picture; generate_image on several.")
        header = headers["image"]
        size = header.width, header.height
        sent = size if model.sizes is None else model.sizes.find(size)
        rule = replace(SOURCE_RULE, resize_to=None if sent == size else sent)
        keeps_outside = get_options(request.advanced).keeps_outside
        return Plan(
            request.model_copy(update={"model": model.id}),
            {"image": rule, "mask": replace(rule, same_ratio_as="image", formats=frozenset({"PNG"}))},
            notes=(*self._explain(request, model, keeps_outside=keeps_outside),),
            finish=Patch() if keeps_outside else Reframe(size=size),
            price=self._drawing.find_price(model),
            # The mask is a picture, too.
            expected_tokens=self._drawing.expect_tokens(request, sent, source_count=2),
            has_unchecked_ids=not model.is_checked,
            needs_seed=bool(self._drawing.server.seed_field),
        )

    def _explain(self, request: InpaintImage, model: ChosenModel, *, keeps_outside: bool) -> list[str]:
        notes = [f"model {model.id}"] if request.model != model.id else []
        if self._drawing.server.mask == "none":
            if not keeps_outside:
                raise InvalidRequest(
                    f"advanced.keeps_outside: {self._drawing.session.client.service} takes no mask, so that the "
                    "picture must be put back beyond it.",
                    hint="Leave it out, or give the picture to generate_image.",
                )
            notes.append("the service takes no mask: it draws the whole picture, of which the marked part is used")
        return notes

    async def submit(self, request: InpaintImage, images: Mapping[str, str], call: SubmitCall) -> SubmitAnswer:
        """Send picture and mask; the answer is the pictures."""
        model = self._drawing.get_model(request.model or "")
        image, mask, size = await asyncio.to_thread(_decode, images)
        drawing = DrawingFields(
            model=model.id,
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            sent_size=None if model.sizes is None else size,
            count=request.samples,
            seed=request.seed,
            steps=request.steps,
            guidance=request.guidance,
            extends_prompt=request.enhance_prompt,
            streams=self._drawing.allows_stream(model, request.samples),
            options=self._drawing.build_options(request, model),
            images=(image,),
            mask=None if self._drawing.server.mask == "none" else mask,
        )
        return await self._drawing.draw(drawing, model, call)


def _decode(images: Mapping[str, str]) -> tuple[bytes, bytes, Size]:
    """The picture, its mask in the form that all kinds of server read, and the picture's size."""
    from atelier_mcp.server.images.probe import probe

    image = b64decode(images["image"])
    header = probe(image)
    return image, to_portable_mask(b64decode(images["mask"])), (header.width, header.height)
