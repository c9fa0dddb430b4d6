"""Making an image larger; one that is too large for the service, in tiles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError, InvalidRequest, SubmitUnconfirmed
from atelier_mcp.server.images.finish_plan import Join, Reframe
from atelier_mcp.server.providers.base import Plan, UpstreamTask
from atelier_mcp.server.providers.faults import Rejection
from atelier_mcp.server.providers.mhapi.checks import SMALL_SOURCE_RULE, choose_service_model
from atelier_mcp.server.providers.mhapi.operation import (
    MhapiOperation,
    MhapiPayload,
    build_output_options,
    get_link,
)
from atelier_mcp.server.providers.mhapi.task_poller import TILE_KIND, join_task_ids
from atelier_mcp.server.providers.tiles import scale_boxes, split_into_tiles
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.edit import UpscaleImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitCall, TaskSucceeded

DEFAULT_MODEL: Final = "super_resolution_v1"
MAX_RESULT_PIXELS: Final = 100_000_000
ANY_SIZE_RULE: Final = replace(SMALL_SOURCE_RULE, max_side_px=40_000, max_bytes=200_000_000)


class MhapiUpscaling(MhapiOperation[UpscaleImage]):
    """``upscale_image``."""

    request_type = UpscaleImage

    async def plan(self, request: UpscaleImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With its model, and for a large source its tiles, each of which the service counts as a picture."""
        source = headers["image"].width, headers["image"].height
        result = round(source[0] * request.ratio), round(source[1] * request.ratio)
        _check_result(source, result)
        model, notes = await choose_service_model(self._model_list, "upscale", request.model, default_id=DEFAULT_MODEL)
        planned = request.model_copy(update={"model": model})
        size = SMALL_SOURCE_RULE.fit_size(source)
        if max(size) > SMALL_SOURCE_RULE.max_side_px:
            return _plan_tiles(planned, size, result, notes)
        # How the service rounds is in no contract.
        return Plan(planned, {"image": SMALL_SOURCE_RULE}, notes, finish=Reframe(size=result))

    def build_payload(self, request: UpscaleImage, links: Mapping[str, str]) -> MhapiPayload:
        """The ratio as a number."""
        body = {
            "model_id": request.model,
            "img_url": get_link(links, "image"),
            "hd_ratio": request.ratio,
            **build_output_options(request),
        }
        return MhapiPayload("/v1/sup_res/imgen", "sup_res", body)

    async def submit(
        self, request: UpscaleImage, images: Mapping[str, str], call: SubmitCall
    ) -> UpstreamTask | TaskSucceeded:
        """One submit, or one for each tile, all of which are then one task to us."""
        if "image" in images:
            return await super().submit(request, images, call)
        task_ids: list[str] = []
        for index in range(len(images)):
            call.report(index / len(images), f"sending tile {index + 1} of {len(images)}")
            try:
                tile = await super().submit(request, {"image": images[format_place("image", index)]}, call)
            except (AtelierError, Rejection) as err:
                if not task_ids:
                    raise
                problem = err.error.message if isinstance(err, Rejection) else err.message
                raise SubmitUnconfirmed(
                    f"{len(task_ids)} of {len(images)} tiles were accepted, then: {problem}"
                ) from err
            task_ids.append(tile.id if isinstance(tile, UpstreamTask) else "")
        return UpstreamTask(join_task_ids(task_ids), TILE_KIND)


def _plan_tiles(planned: UpscaleImage, size: Size, result: Size, notes: tuple[str, ...]) -> Plan:
    boxes = split_into_tiles(size, SMALL_SOURCE_RULE.max_side_px)
    return Plan(
        planned,
        {"image": replace(ANY_SIZE_RULE, resize_to=size)},
        (
            *notes,
            f"{len(boxes)} tiles of at most {SMALL_SOURCE_RULE.max_side_px} pixels a side, each counts as a picture",
        ),
        finish=Join(size=result, boxes=scale_boxes(boxes, size, result)),
        tiles={"image": boxes},
        image_count=len(boxes),
    )


def _check_result(source: Size, result: Size) -> None:
    if result[0] * result[1] > MAX_RESULT_PIXELS:
        most = (MAX_RESULT_PIXELS / (source[0] * source[1])) ** 0.5
        advice = f"Give ratio up to {int(most * 100) / 100:g}." if most > 1.01 else "Give a smaller picture."
        raise InvalidRequest(
            f"ratio: {source[0]}x{source[1]} would become {result[0]}x{result[1]}; at most "
            f"{MAX_RESULT_PIXELS // 1_000_000} megapixels are made.",
            hint=advice,
        )
