"""Outpainting at MHAPI: the canvas that is sent for the one that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.requests.edit import OutpaintImage
from tests.providers.test_mhapi_plans import build_header, model_lists, plan

if TYPE_CHECKING:
    from atelier_mcp.server.providers.mhapi.provider import MhapiProvider

__all__ = ["model_lists"]  # a fixture that every test here uses


@pytest.mark.parametrize(
    ("source", "fields", "expected"),
    [
        ((960, 640), {}, {"width": 1440, "height": 960, "x": None}),
        ((960, 640), {"scale": 2}, {"scale": 2, "width": None, "x": None}),
        ((960, 640), {"width": 1440, "height": 960}, {"scale": None, "width": 1440, "height": 960, "x": None}),
        ((960, 640), {"width": 1000, "height": 1000}, {"width": 1024, "height": 1024, "x": 40, "y": 200}),
        ((960, 960), {"width": 1707, "height": 960}, {"width": 1728, "height": 1024, "x": 392, "y": 56}),
        ((960, 640), {"width": 1280, "height": 1280, "position": "topleft"}, {"width": 1280, "x": 0, "y": 0}),
        ((960, 640), {"width": 1284, "height": 1024, "x": 70, "y": 13}, {"width": 1344, "height": 1088, "x": 128}),
        ((960, 640), {"scale": 2, "x": 64}, {"scale": None, "width": 1920, "x": 64}),
        ((960, 640), {"aspect": "21:9", "x": 0}, {"scale": None, "height": 704, "x": 40}),
        ((960, 640), {"left": 0.25}, {"width": 1216, "height": 704, "x": 248, "y": 56}),
        ((300, 400), {}, {"scale": None, "width": 640, "height": 640, "x": 264, "y": 136}),
        ((200, 100), {"right": 50}, {"width": 640, "height": 640}),
        ((5900, 3000), {"right": 100}, {"width": 5888, "height": 2944}),
    ],
)
async def test_the_next_canvas_that_the_service_can_do_is_sent(
    mhapi: MhapiProvider, source: tuple[int, int], fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    result = await plan(mhapi, OutpaintImage, build_header(*source), image="img_a", **fields)
    sent = result.sent_request
    assert isinstance(sent, OutpaintImage)
    assert {name: getattr(sent, name) for name in expected} == expected
    if sent.x is not None and sent.y is not None and sent.width and sent.height:
        size = result.image_rules["image"].fit_size(source)
        assert min(sent.width - sent.x - size[0], sent.height - sent.y - size[1]) >= 8
        assert (sent.width % 64, sent.height % 64, sent.x % 8, sent.y % 8) == (0, 0, 0, 0)


async def test_what_is_written_down_is_what_was_asked(mhapi: MhapiProvider) -> None:
    """Steps are the service's: a recipe that is called again must not grow by them."""
    planned = (await plan(mhapi, OutpaintImage, image="img_a", left=101)).request
    assert planned.to_document() == {"image": "img_a", "left": 101, "model": "outpaint_first"}


@pytest.mark.parametrize(
    ("source", "fields", "words"),
    [
        ((6000, 3000), {}, "width: the canvas would have 9000 pixels; 6000 is the most"),
        ((960, 640), {"width": 960, "height": 640}, "own 960x640: there is nothing to add"),
        ((960, 640), {"width": 900, "height": 1600}, "width: a source of 960 pixels does not fit into 900"),
        (
            (960, 640),
            {"width": 1000, "height": 1000, "x": 64},
            "width: a source of 960 pixels at 64 does not fit into 1000",
        ),
        ((5990, 100), {"top": 100}, "too narrow"),
    ],
)
async def test_canvases_that_cannot_be_are_refused(
    mhapi: MhapiProvider, source: tuple[int, int], fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await plan(mhapi, OutpaintImage, build_header(*source), image="img_a", **fields)
    assert words in caught.value.message
