"""A subject lifted out of its picture, by the rembg extension."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest, Spent, UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.images.finish_plan import CutOut
from atelier_mcp.server.providers.base import Plan, TaskSucceeded
from atelier_mcp.server.providers.sd_webui.operation import SOURCE_RULE, SdWebuiOperation
from atelier_mcp.server.providers.sd_webui.server_facts import REMBG_PATH
from atelier_mcp.server.providers.sd_webui.wire import decode_base64_image
from atelier_mcp.server.requests.edit import CutOutSubject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitCall

MASK_RULE: Final = replace(SOURCE_RULE, same_ratio_as="image")


class SdWebuiCutOut(SdWebuiOperation[CutOutSubject]):
    """``cut_out_subject``: the outline is the service's, cut-out and mask are made here."""

    request_type = CutOutSubject

    async def plan(self, request: CutOutSubject, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """With its model. Raises ``InvalidRequest`` without the extension, and for marks that it cannot follow."""
        facts = await self._account.probe.get()
        if not facts.has_cut_out:
            self._account.probe.forget()
            raise InvalidRequest(
                f"This {facts.title} has no rembg extension, which cuts out subjects.",
                hint="Install stable-diffusion-webui-rembg there and restart it.",
            )
        if request.mask is not None and not request.strict:
            raise InvalidRequest(
                "mask, shapes: a WebUI finds the main subject by itself; marks can only limit it.",
                hint="Set strict true for that, or leave them out.",
            )
        # Whatever rembg has there works; only the page's list is known (contract: rembg.models).
        planned = request.model_copy(update={"model": request.model or self._account.settings.cut_out_model})
        rules = {"image": SOURCE_RULE} | ({"mask": MASK_RULE} if request.mask else {})
        notes = (await self._account.describe_choice(planned.model),)
        return Plan(planned, rules, notes, finish=CutOut(outline="mask" if request.strict else None))

    async def submit(
        self,
        request: CutOutSubject,
        images: Mapping[str, str],
        call: SubmitCall,
    ) -> TaskSucceeded:
        """One call; a model that was never used is fetched there first."""
        call.report(None, "sent")
        body = {
            "input_image": images["image"],
            "model": request.model,
            "return_mask": False,
            # Slow, and its edges are worse on everything but hair.
            "alpha_matting": False,
        }
        answer = await self._account.session.submit(REMBG_PATH, body)
        if "image" not in answer:
            raise self._account.session.build_unreadable_error()
        data = decode_base64_image(answer["image"])
        if data is None:
            raise UpstreamFailed("The WebUI answered without a picture.", spent=Spent.NOTHING)
        return TaskSucceeded((OutputImage(data=data),))
