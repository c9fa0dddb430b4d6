"""Masks of every convention that pictures come in: a hole is the area, else black on white, else it is none."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageFilter

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.masks import (
    compute_marked_share,
    draw_mask,
    format_marked_share,
    invert_mask,
    normalize_mask,
    overlay_mask,
)
from atelier_mcp.server.images.shapes import MaskShape
from tests.images.samples import decode_image, draw_sample, encode_image, make_image

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZE, BOX = (100, 100), (10, 10, 60, 30)
"""The box is a tenth of the picture."""
RIGHT = draw_mask(*SIZE, [MaskShape("box", BOX)])


def draw_black_on_white(mode: str = "L") -> Image.Image:
    """The plain convention."""
    mask = Image.new(mode, SIZE, "white")
    mask.paste("black", BOX)
    return mask


def draw_hole(background: Image.Image, mode: str = "RGBA") -> Image.Image:
    """A picture with a hole in it."""
    holed = background.resize(SIZE).convert(mode)
    holed.paste((0,) * len(holed.getbands()), BOX)
    return holed


def draw_palette_hole() -> Image.Image:
    """The same with one transparent colour of a palette."""
    mask = Image.new("P", SIZE, 1)
    mask.putpalette([0, 0, 0, 200, 60, 60])
    mask.paste(0, BOX)
    mask.info["transparency"] = 0
    return mask


def draw_grey_alpha() -> Image.Image:
    """White with a hole."""
    mask = Image.new("LA", SIZE, (255, 255))
    mask.paste((255, 0), BOX)
    return mask


def draw_two_tones(marked: int, kept: int, file_format: str = "PNG") -> bytes:
    """Two greys instead of black and white."""
    return encode_image(draw_black_on_white().point([marked] * 128 + [kept] * 128), file_format)


CONVENTIONS: Mapping[str, bytes] = {
    "black on white": encode_image(draw_black_on_white()),
    "black on white in colour": encode_image(draw_black_on_white("RGB")),
    "black on white of one bit": encode_image(draw_black_on_white("1")),
    "black on white in a BMP": encode_image(draw_black_on_white(), "BMP"),
    "black on white, opaque": encode_image(draw_black_on_white("RGB").convert("RGBA")),
    "nearly black on nearly white": encode_image(
        draw_black_on_white().point([20 + v * 220 // 255 for v in range(256)])
    ),
    "a hole in a photo": encode_image(draw_hole(draw_sample())),
    "a hole in black": encode_image(draw_hole(Image.new("RGB", SIZE))),
    "a hole in a WebP": encode_image(draw_hole(draw_sample()), "WEBP"),
    "a hole in a TIFF": encode_image(draw_hole(draw_sample()), "TIFF"),
    "a hole in white": encode_image(draw_grey_alpha()),
    "a hole in a GIF": encode_image(draw_palette_hole(), "GIF"),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_marks_the_same_area(name: str) -> None:
    """And a service gets it as it reads masks: black and white, nothing transparent."""
    mask = CONVENTIONS[name]
    sent = decode_image(normalize_mask(mask))
    assert compute_marked_share(mask) == pytest.approx(0.1)
    assert (sent.format, "A" in sent.getbands(), "transparency" in sent.info) == ("PNG", False, False)
    assert sent.convert("L").tobytes() == decode_image(RIGHT).tobytes()
    assert compute_marked_share(invert_mask(mask)) == pytest.approx(0.9)
    assert compute_marked_share(draw_mask(*SIZE, [], base_mask=mask)) == pytest.approx(0.1)


def test_a_mask_in_order_is_sent_as_it_is() -> None:
    """The same bytes, so the same handle."""
    assert normalize_mask(RIGHT) is RIGHT


def test_soft_edges_are_cut_in_the_middle() -> None:
    """A brush, or JPEG, leaves them."""
    soft = draw_black_on_white().filter(ImageFilter.GaussianBlur(1))
    for data in (encode_image(soft), encode_image(soft, "JPEG")):
        assert compute_marked_share(data) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    "image",
    [
        make_image("JPEG"),
        make_image("PNG", noise=True),
        encode_image(Image.new("L", SIZE, 128)),
        encode_image(Image.linear_gradient("L")),
        encode_image(Image.new("RGB", SIZE, "red")),
        draw_two_tones(40, 220),
        draw_two_tones(0, 220),
        draw_two_tones(40, 255),
        draw_two_tones(100, 255),
        draw_two_tones(30, 230, "JPEG"),
    ],
)
def test_a_picture_that_is_no_mask_is_refused(image: bytes) -> None:
    """A photo in the wrong argument would have most of itself repainted."""
    with pytest.raises(ImageRefused, match="neither black and white nor transparent"):
        normalize_mask(image)


@pytest.mark.parametrize("alpha", [40, 120])
def test_a_hole_that_lets_half_through_is_refused(alpha: int) -> None:
    """Whether it was meant as a hole at all, nobody can know."""
    holed = draw_sample().resize(SIZE).convert("RGBA")
    holed.putalpha(draw_black_on_white().point([alpha] * 128 + [255] * 128))
    with pytest.raises(ImageRefused, match="half transparent"):
        normalize_mask(encode_image(holed))


@pytest.mark.parametrize("quality", [10, 30, 75, 95])
def test_what_jpeg_makes_of_black_and_white_is_still_that(quality: int) -> None:
    strokes = draw_black_on_white()
    for at in range(0, 60, 12):
        strokes.paste("black", (at, 0, at + 4, 40))
    out = io.BytesIO()
    strokes.save(out, "JPEG", quality=quality)
    assert compute_marked_share(out.getvalue()) == pytest.approx(compute_marked_share(encode_image(strokes)), abs=0.02)


def test_past_a_half_the_reader_is_asked() -> None:
    """White on black is the other convention in use."""
    assert format_marked_share(compute_marked_share(RIGHT), is_deliberate=False) == "10 % of the picture is marked."
    share = compute_marked_share(invert_mask(RIGHT))
    assert "Was the rest meant?" in format_marked_share(share, is_deliberate=False)
    assert format_marked_share(share, is_deliberate=True) == "90 % of the picture is marked."


def test_a_whole_picture_is_a_hundred_per_cent() -> None:
    whole = draw_mask(*SIZE, [MaskShape("box", (0, 0, *SIZE))])
    assert format_marked_share(compute_marked_share(whole), is_deliberate=True).startswith(
        "100 % of the picture is marked."
    )


def test_a_result_that_follows_no_convention_is_shown_all_the_same() -> None:
    """It is paid for."""
    assert overlay_mask(make_image("PNG"), make_image("PNG", noise=True), longest_px=200).size == (200, 150)
