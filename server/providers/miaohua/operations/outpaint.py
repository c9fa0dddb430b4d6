"""Continuing an image beyond its borders."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.images.placement import place
from atelier_mcp.server.providers.miaohua.operation import MiaohuaOperation, MiaohuaPayload, build_plan
from atelier_mcp.server.providers.miaohua.task_poller import IMAGE_TASK
from atelier_mcp.server.providers.outpaint_canvas import compute_canvas
from atelier_mcp.server.requests.edit import OutpaintImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.outpaint_canvas import WantedCanvas

SCALES: Final = (1.25, 1.5, 2.0)
FAST: Final = 1
POSITIONS: Final = {
    (x, y): f"{row}{column}" or "middle"
    for y, row in ((0.0, "top"), (0.5, "middle"), (1.0, "bottom"))
    for x, column in ((0.0, "left"), (0.5, "middle" if y != 0.5 else ""), (1.0, "right"))
}
"""The nine places of the source by the share of the room to its left and above it."""


class MiaohuaOutpainting(MiaohuaOperation[OutpaintImage]):
    """``outpaint_image``."""

    request_type = OutpaintImage

    async def plan(self, request: OutpaintImage, headers: Mapping[str, ImageHeader]) -> Plan:
        """With the smallest scale and place that hold the canvas, which is cut out of the result.

        Three scales and nine places are all there is (contract: task_submit.outpaint_config).
        """
        if request.model is not None:
            raise InvalidRequest("model: Miaohua has one way to extend pictures; leave it out.")
        source = headers["image"].width, headers["image"].height
        canvas = compute_canvas(request, source)
        scale, position, finish = _choose_extension(canvas, source)
        plan = build_plan(request, (str(canvas),))
        return replace(
            plan,
            sent_request=request.model_copy(update={"scale": scale, "position": position}),
            finish=finish,
        )

    async def build_payload(self, request: OutpaintImage, links: Mapping[str, str]) -> MiaohuaPayload:
        """As the one printed sample has it.

        Neither a model nor a size belongs to it (contract: task_submit.outpaint_config, task_submit.enable_lcm).
        """
        body = {
            "prompt": "",
            "n_images": request.samples,
            "outpaint_config": {
                "src_img": links["image"],
                "outpaint_ratio": request.scale,
                "align_position": request.position,
            },
            "enable_lcm": FAST,
        }
        return MiaohuaPayload("/task_submit", IMAGE_TASK, body)


def _choose_extension(canvas: WantedCanvas, source: Size) -> tuple[float, str, Reframe]:
    """Scale and place to send, and what cuts the canvas out of the result.

    Raises ``InvalidRequest`` for a canvas that none of them holds.
    """
    # The smallest that holds the canvas: the rest of a larger one would be drawn and cut away.
    for scale in SCALES:
        extended = round(source[0] * scale), round(source[1] * scale)
        share_x = _find_share(canvas.x, canvas.width - canvas.x - source[0], extended[0] - source[0])
        share_y = _find_share(canvas.y, canvas.height - canvas.y - source[1], extended[1] - source[1])
        if share_x is not None and share_y is not None:
            left, top = place(source, extended, POSITIONS[share_x, share_y])
            # Where the canvas begins in the service's larger picture: the source must come to lie on itself.
            x, y = left - canvas.x, top - canvas.y
            region = (float(x), float(y), float(x + canvas.width), float(y + canvas.height))
            finish = Reframe(size=canvas.size, canvas=extended, region=region, source="image", at=(canvas.x, canvas.y))
            return scale, POSITIONS[share_x, share_y], finish
    raise InvalidRequest(
        f"Miaohua cannot make a {canvas}: it adds up to a whole side on one side of a {source[0]}x{source[1]} picture, "
        "or half of it on both.",
        hint="Extend it in two calls.",
    )


def _find_share(before_px: int, after_px: int, room_px: int) -> float | None:
    """The place along one axis that leaves enough room before and after the source, the last one that does.

    The later, the nearer the service's mark, at the lower right, is to the edge of what is kept.
    """
    fitting = [
        share
        for share in (0.0, 0.5, 1.0)
        if round(room_px * share) >= before_px and room_px - round(room_px * share) >= after_px
    ]
    return fitting[-1] if fitting else None
