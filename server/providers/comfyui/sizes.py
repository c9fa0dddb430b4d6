"""Sizes that a checkpoint draws well, and how they become the ones that were asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.providers.comfyui.templates import LATENT_STEP_PX
from atelier_mcp.server.requests.sizes import complete_size, parse_aspect

if TYPE_CHECKING:
    from atelier_mcp.server.images.finish_plan import Size
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.comfyui.families import DiffusionFamily
    from atelier_mcp.server.requests.create import GenerateImage

_MIN_SIDE_PX: Final = 64
_MAX_SIDE_PX: Final = 6000
_FREE_SCALES: Final = (0.7, 1.4)
"""Between these a picture is worked on as large as it is."""


def choose_drawn_size(request: GenerateImage, source: ImageHeader | None, family: DiffusionFamily) -> Size:
    """The caller's size, else the aspect's or the source's shape with as many pixels as the family likes."""
    if request.aspect:
        ratio = parse_aspect(request.aspect)
    elif request.image is not None and source is not None:
        ratio = source.width / source.height
    else:
        ratio = 1.0
    if size := complete_size(request.width, request.height, ratio):
        return size
    width, height = family.side_px * math.sqrt(ratio), family.side_px / math.sqrt(ratio)
    return _limit(width), _limit(height)


def round_up(size: Size) -> Size:
    """The next size in the steps of the latent (contract: bounds)."""
    width, height = (-(-side // LATENT_STEP_PX) * LATENT_STEP_PX for side in size)
    return width, height


def crop_to(size: Size, sent_size: Size) -> Reframe | None:
    """What makes a picture of ``size`` of one of ``sent_size``; nothing where they are the same."""
    return None if size == sent_size else Reframe(size=size, canvas=sent_size, region=(0, 0, *size))


def choose_working_size(size: Size, family: DiffusionFamily) -> Size:
    """The size in which a part of a picture is drawn anew: its own ``size``, unless that is far from the family's."""
    scale = family.side_px / math.sqrt(size[0] * size[1])
    if _FREE_SCALES[0] <= scale <= _FREE_SCALES[1]:
        scale = 1.0
    return round_up((_limit(size[0] * scale), _limit(size[1] * scale)))


def _limit(side: float) -> int:
    return min(_MAX_SIDE_PX, max(_MIN_SIDE_PX, round(side)))
