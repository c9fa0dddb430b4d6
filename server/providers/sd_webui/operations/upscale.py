"""Pictures made larger; very large ones in tiles, all of them in one call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import Spent, UpstreamFailed
from atelier_mcp.server.images.encode import check_result_size
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.images.finish_plan import Join, Reframe
from atelier_mcp.server.providers.base import Plan, TaskSucceeded
from atelier_mcp.server.providers.sd_webui.operation import SOURCE_RULE, SdWebuiOperation, get_size
from atelier_mcp.server.providers.sd_webui.wire import decode_base64_image, get_images
from atelier_mcp.server.providers.tiles import scale_boxes, split_into_tiles
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.edit import UpscaleImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import SubmitCall

SINGLE_PATH: Final = "/sdapi/v1/extra-single-image"
BATCH_PATH: Final = "/sdapi/v1/extra-batch-images"
BY_FACTOR, TO_SIZE = 0, 1
"""``resize_mode`` of the extras."""
LARGE_RULE: Final = replace(SOURCE_RULE, max_side_px=40_000, max_bytes=200_000_000)


class SdWebuiUpscaling(SdWebuiOperation[UpscaleImage]):
    """``upscale_image``."""

    request_type = UpscaleImage

    async def plan(self, request: UpscaleImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With an upscaler that is there; the result's size is exact."""
        source = get_size(headers["image"])
        result = round(source[0] * request.ratio), round(source[1] * request.ratio)
        check_result_size(*result)
        model_list = self._account.model_list
        upscaler = (
            await model_list.choose_upscaler()
            if request.model is None
            else await model_list.find("upscale", request.model, place="model")
        )
        planned = request.model_copy(update={"model": upscaler})
        notes = (await self._account.describe_choice(upscaler),)
        size = SOURCE_RULE.fit_size(source)
        if max(size) > self._account.settings.max_side_px:
            return self._plan_tiles(planned, size, result, notes)
        return Plan(planned, {"image": SOURCE_RULE}, notes, finish=Reframe(size=result))

    def _plan_tiles(self, planned: UpscaleImage, size: Size, result: Size, notes: tuple[str, ...]) -> Plan:
        boxes = split_into_tiles(size, self._account.settings.max_side_px)
        return Plan(
            planned,
            {"image": replace(LARGE_RULE, resize_to=size)},
            (*notes, f"in {len(boxes)} tiles"),
            finish=Join(size=result, boxes=scale_boxes(boxes, size, result)),
            tiles={"image": boxes},
        )

    async def submit(
        self,
        request: UpscaleImage,
        images: Mapping[str, str],
        call: SubmitCall,
    ) -> TaskSucceeded:
        """One call, whether for a picture or for its tiles; it has no task there (contract: extras.task)."""
        call.report(None, "sent")
        if "image" in images:
            answer = await self._account.session.submit(SINGLE_PATH, await self._build_single(request, images["image"]))
            found = [decode_base64_image(answer.get("image"))]
        else:
            answer = await self._account.session.submit(BATCH_PATH, _build_batch(request, images))
            found = [decode_base64_image(image) for image in get_images(answer) or [None]]
        if not all(found):
            raise self._build_missing_error(answer)
        return TaskSucceeded(tuple(OutputImage(data=data) for data in found))

    async def _build_single(self, request: UpscaleImage, image: str) -> dict[str, Any]:
        from atelier_mcp.server.providers.sd_webui.canvas import measure

        width, height = await measure(image)
        return {
            "image": image,
            "resize_mode": TO_SIZE,
            "upscaling_resize_w": round(width * request.ratio),
            "upscaling_resize_h": round(height * request.ratio),
            "upscaling_crop": True,
            "upscaler_1": request.model,
            "show_extras_results": True,
        }

    def _build_missing_error(self, answer: Mapping[str, Any]) -> Exception:
        if "image" not in answer and "images" not in answer:
            return self._account.session.build_unreadable_error()
        return UpstreamFailed("The WebUI answered without a picture.", spent=Spent.NOTHING)


def _build_batch(request: UpscaleImage, images: Mapping[str, str]) -> dict[str, Any]:
    tiles = [images[format_place("image", index)] for index in range(len(images))]
    return {
        "imageList": [{"data": tile, "name": f"tile-{index}.png"} for index, tile in enumerate(tiles)],
        "resize_mode": BY_FACTOR,
        "upscaling_resize": request.ratio,
        "upscaler_1": request.model,
        "show_extras_results": True,
    }
