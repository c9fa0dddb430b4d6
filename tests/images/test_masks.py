"""What a mask marks, to the pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.masks import check_mask, compute_marked_share, draw_mask, invert_mask, to_portable_mask
from atelier_mcp.server.images.shapes import MaskShape
from tests.images.samples import decode_image

if TYPE_CHECKING:
    from collections.abc import Sequence


def list_marked(mask: bytes) -> set[tuple[int, int]]:
    """The pixels a mask marks."""
    image = decode_image(mask)
    return {(x, y) for x in range(image.width) for y in range(image.height) if image.getpixel((x, y)) == 0}


def test_the_second_corner_of_a_box_is_not_part_of_it() -> None:
    """As in every region given by two corners."""
    mask = draw_mask(8, 6, [MaskShape("box", (1, 2, 3, 4))])
    assert list_marked(mask) == {(1, 2), (2, 2), (1, 3), (2, 3)}


def test_a_stroke_has_round_ends() -> None:
    """A click, which is a stroke of one point, is a disc."""
    marked = list_marked(draw_mask(20, 20, [MaskShape("stroke", (10, 10), width=6)]))
    assert {(10, 7), (13, 10), (10, 13), (7, 10)} <= marked
    assert (7, 7) not in marked


def test_shapes_add_to_the_mask_they_start_from() -> None:
    """A mask of half the size is scaled up first."""
    base_mask = draw_mask(10, 10, [MaskShape("box", (0, 0, 5, 10))])
    mask = draw_mask(20, 20, [MaskShape("polygon", (15, 0, 19, 0, 19, 19, 15, 19))], base_mask=base_mask)
    assert compute_marked_share(mask) == pytest.approx(0.75)
    assert compute_marked_share(invert_mask(mask)) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([MaskShape("box", (0, 0, 20, 20))], "100% of the picture is marked"),
        ([MaskShape("ellipse", (20, 0, 30, 10))], r"shapes\[0\]: it lies outside"),
        ([], "nothing is marked"),
    ],
)
def test_a_mask_that_cannot_be_meant_is_refused(shapes: Sequence[MaskShape], words: str) -> None:
    """Before money is spent on it."""
    with pytest.raises(InvalidRequest, match=words):
        check_mask(draw_mask(20, 20, shapes), "shapes", is_deliberate=False)


def test_readers_of_transparency_and_of_brightness_see_the_same_area_in_a_portable_mask() -> None:
    portable = decode_image(to_portable_mask(draw_mask(40, 30, [MaskShape("box", (10, 5, 30, 20))])))
    assert portable.mode == "RGBA"
    clear, bright = portable.getchannel("A").point([255] + [0] * 255), portable.convert("L")
    assert clear.getbbox() == bright.getbbox() == (10, 5, 30, 20)
    assert {value for _, value in portable.getchannel("A").getcolors() or []} == {0, 255}
