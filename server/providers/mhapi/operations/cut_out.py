"""Lifting a subject out of an image: whatever it shows, or what is roughly marked; two services, one result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.images.finish_plan import CutOut
from atelier_mcp.server.images.placement import enlarge_to_minimum, fit_within
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.mhapi.checks import IMAGE_RULE, MASK_RULE, SMALL_SOURCE_RULE, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import WATERMARKS, MhapiOperation, MhapiPayload, get_link
from atelier_mcp.server.requests.edit import CutOutSubject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.probe import ImageHeader


class MhapiCutOut(MhapiOperation[CutOutSubject]):
    """``cut_out_subject``: with marks the service is called cutout, without them split."""

    request_type = CutOutSubject

    async def plan(self, request: CutOutSubject, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its model; a source of any size, since only the outline is the service's.

        Cutout has no list of models of its own (contract: cutout.model_id); for split none is documented.
        """
        kind = "erase" if request.mask else "segment"
        model, notes = await choose_service_model(self._model_list, kind, request.model)
        rule = _fit_rule(IMAGE_RULE if request.mask else SMALL_SOURCE_RULE, headers["image"])
        rules = {"image": rule}
        if request.mask:
            rules["mask"] = replace(MASK_RULE, resize_to=rule.resize_to)
        finish = CutOut(outline="mask" if request.strict else None)
        return Plan(request.model_copy(update={"model": model}), rules, notes, finish=finish)

    def build_payload(self, request: CutOutSubject, links: Mapping[str, str]) -> MhapiPayload:
        """Split takes neither hd_ratio nor a watermark (contract: split.imgen.hd_ratio, split.imgen.watermark)."""
        body: dict[str, Any] = {"model_id": request.model, "img_url": get_link(links, "image")}
        if "mask" not in links:
            return MhapiPayload("/v1/split/imgen", "split", body | {"format": "PNG"})
        marks = {"mask_img_url": links["mask"], "mask_type": request.mark}
        options = {"format": "PNG", "watermark_config": {"type": WATERMARKS[request.watermark]}}
        return MhapiPayload("/v1/erase/cutout", "erase", body | marks | options)


def _fit_rule(rule: ImageRule, header: ImageHeader) -> ImageRule:
    """The rule with the size in which the source is sent, where it is not its own."""
    size = header.width, header.height
    fitting = enlarge_to_minimum(size, rule.min_side_px)
    if max(fitting) > rule.max_side_px:
        fitting = fit_within(size, (rule.max_side_px, rule.max_side_px))
    return rule if fitting == size else replace(rule, resize_to=fitting)
