"""Transparency through an edit: kept where results lie over their source, and otherwise named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw

from atelier_mcp.server.images.transparency import restore_transparency
from tests.images.samples import decode_image, encode_image

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE = 128


def draw_cut_out() -> Image.Image:
    """A red disc with a soft rim on nothing."""
    image = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((32, 32, 96, 96), fill=(200, 30, 30, 255))
    image.paste((200, 30, 30, 128), (32, 100, 96, 108))
    return image


def lay_on_white(image: Image.Image) -> Image.Image:
    """The picture as a service gets it."""
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image)
    return ground.convert("RGB")


def restore(result: Image.Image, *, mask: Image.Image | None = None, is_erasure: bool = False) -> Image.Image:
    """The result with the transparency of the cut-out."""
    mask_data = None if mask is None else encode_image(mask)
    data = restore_transparency(
        encode_image(result), encode_image(draw_cut_out()), mask=mask_data, is_erasure=is_erasure
    )
    return decode_image(data)


def draw_mask(box: Sequence[int]) -> Image.Image:
    """A mask of one box."""
    mask = Image.new("L", (SIZE, SIZE), "white")
    mask.paste("black", tuple(box))  # pyright: ignore[reportArgumentType]  # four numbers
    return mask


def read(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """One pixel."""
    return tuple(image.crop((x, y, x + 1, y + 1)).tobytes())


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_an_enlarged_cut_out_is_one_still(scale: int) -> None:
    """With its own colours at the rim, not paler ones."""
    enlarged = restore(lay_on_white(draw_cut_out()).resize((SIZE * scale, SIZE * scale)))
    assert (enlarged.mode, enlarged.size) == ("RGBA", (SIZE * scale, SIZE * scale))
    assert read(enlarged, 5, 5)[3] == 0
    assert read(enlarged, 64 * scale, 64 * scale) == (200, 30, 30, 255)
    assert read(enlarged, 64 * scale, 104 * scale) == pytest.approx((200, 30, 30, 128), abs=3)


def test_what_the_service_draws_on_nothing_stays_visible() -> None:
    """Its mark, for one."""
    marked = lay_on_white(draw_cut_out())
    marked.paste("black", (100, 118, 124, 124))
    assert read(restore(marked), 110, 120) == (0, 0, 0, 255)


def test_what_is_drawn_anew_is_opaque() -> None:
    """White clouds as well."""
    assert read(restore(lay_on_white(draw_cut_out()), mask=draw_mask((0, 0, 30, 30))), 10, 10) == (255, 255, 255, 255)


def test_where_something_is_erased_its_surroundings_go_on() -> None:
    """Nothing on nothing, the disc on the disc."""
    result = Image.new("RGB", (SIZE, SIZE), "white")
    ImageDraw.Draw(result).ellipse((32, 32, 96, 96), fill=(200, 30, 30))
    erased = restore(result, mask=draw_mask((24, 98, 104, 112)), is_erasure=True)
    assert read(erased, 64, 106)[3] < 60
    assert read(restore(result, mask=draw_mask((60, 60, 68, 68)), is_erasure=True), 64, 64) == (200, 30, 30, 255)


@pytest.mark.parametrize("result", [Image.new("RGB", (SIZE, 2 * SIZE)), Image.new("RGBA", (SIZE, SIZE), (1, 2, 3, 4))])
def test_a_result_of_another_shape_or_with_transparency_is_left_alone(result: Image.Image) -> None:
    """Nothing is stretched to fit."""
    data = encode_image(result)
    assert restore_transparency(data, encode_image(draw_cut_out()), mask=None, is_erasure=False) is data
