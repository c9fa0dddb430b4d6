"""Pictures are changed no more than a service's limits need, and never in silence."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.convert import convert_to_rule
from atelier_mcp.server.images.exchange import ImageRule
from atelier_mcp.server.images.probe import probe
from tests.images.samples import LIME, decode_image, draw_sample, encode_image, is_near, make_image, read_colour

if TYPE_CHECKING:
    from collections.abc import Sequence

RULE = ImageRule(min_side_px=64, max_side_px=2000, max_bytes=1_000_000)
MASK = ImageRule(min_side_px=64, max_side_px=2000, max_bytes=1_000_000, same_ratio_as="image")


def convert(data: bytes, rule: ImageRule = RULE) -> tuple[bytes, Sequence[str]]:
    """The picture made to fit."""
    return convert_to_rule(data, probe(data), rule)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_fits_stays_as_it_is(image_format: str) -> None:
    """The same bytes, so the same handle and link."""
    data = make_image(image_format)
    same, notes = convert(data)
    assert same is data
    assert notes == ()


@pytest.mark.parametrize("image_format", ["TIFF", "BMP", "GIF", "AVIF", "HEIF"])
def test_a_small_picture_in_another_format_becomes_png(image_format: str) -> None:
    """Nothing is lost on the way."""
    data, notes = convert(make_image(image_format))
    assert notes == (f"converted from {image_format} to PNG",)
    assert is_near(read_colour(data, 300, 20), (255, 0, 0))


def test_a_large_photo_in_another_format_becomes_jpeg() -> None:
    """A PNG of it would be slow and heavy."""
    data, notes = convert(make_image("TIFF", 1600, 1200))
    assert decode_image(data).format == "JPEG"
    assert notes == ("converted from TIFF to JPEG", "saved with JPEG quality 92")


@pytest.mark.parametrize("image_format", ["TIFF", "AVIF"])
def test_transparency_survives_a_conversion(image_format: str) -> None:
    """However large the picture is."""
    data, _ = convert(make_image(image_format, 1600, 1200, mode="RGBA"))
    image = decode_image(data)
    assert (image.format, image.mode) == ("PNG", "RGBA")
    assert image.getchannel("A").getextrema() == (0, 255)


def test_transparency_becomes_white_where_only_jpeg_is_read() -> None:
    """And the note says so."""
    data, notes = convert(make_image("PNG", mode="RGBA"), ImageRule(min_side_px=64, formats=frozenset({"JPEG"})))
    assert read_colour(data, 300, 220) == (255, 255, 255)
    assert "its transparency was filled with white" in notes


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "TIFF", "AVIF", "PNG", "HEIF"])
def test_exif_rotation_is_applied_once(image_format: str) -> None:
    """Services ignore EXIF: the subject would lie on its side, and masks would miss it."""
    data, notes = convert(encode_image(draw_sample(), image_format, orientation=6))

    assert decode_image(data).size == (240, 320)
    assert is_near(read_colour(data, 220, 20), LIME)
    assert not probe(data).is_rotated
    if image_format != "HEIF":  # its decoder turns the picture before anyone sees it
        assert notes[0] == "turned upright as its EXIF data asks"


def test_too_many_bytes_become_a_jpeg_of_lower_quality() -> None:
    """As little lower as will do."""
    source = make_image("PNG", 1000, 800, noise=True)
    data, notes = convert(source)
    assert len(data) <= RULE.max_bytes < len(source)
    assert decode_image(data).format == "JPEG"
    assert "converted from PNG to JPEG" in notes
    assert any(note.startswith("saved with JPEG quality") for note in notes)


def test_a_mask_is_never_made_lossy() -> None:
    """Grey edges would be taken for half-marked pixels."""
    data, _ = convert(make_image("BMP", 1900, 1500), MASK)
    assert decode_image(data).format == "PNG"
    with pytest.raises(ImageRefused, match=r"1\.0 MB"):
        convert(make_image("PNG", 1000, 800, noise=True), MASK)


def test_too_large_sides_are_refused() -> None:
    """A caller who wants every pixel would not see that some were dropped."""
    with pytest.raises(ImageRefused, match=r"2400 x 1000 pixels; each side must have 64 to 2000") as refused:
        convert(make_image("PNG", 2400, 1000))
    assert "transform_image(image=..., width=2000)" in refused.value.hint


def test_a_picture_below_the_smallest_side_is_enlarged_to_it_and_that_is_said() -> None:
    data, notes = convert(make_image("PNG", 320, 40))
    assert decode_image(data).size == (512, 64)
    assert notes == ("enlarged 320x40 to 512x64 first, for the service",)


def test_the_border_that_a_narrow_picture_needs_is_named() -> None:
    """Enlarged to the smallest side it would pass the largest."""
    with pytest.raises(ImageRefused, match="1600 x 40 pixels; each side must have 64") as refused:
        convert(make_image("PNG", 1600, 40))
    assert 'width=1600, height=64, fit="pad"' in refused.value.hint


def test_where_the_answer_is_coordinates_a_small_picture_gets_a_border_and_stays_where_it_is() -> None:
    rule = ImageRule(min_side_px=64, keeps_coordinates=True)
    source = make_image("PNG", 320, 40)
    data, notes = convert(source, rule)
    sent = decode_image(data).convert("RGB")
    assert sent.size == (320, 64)
    assert sent.crop((0, 0, 320, 40)).tobytes() == decode_image(source).convert("RGB").tobytes()
    assert sent.getpixel((319, 63)) == (255, 255, 255)
    assert notes == (
        "320x40 got a white border at the right and below, to 320x64, for the service; coordinates are those of the "
        "picture",
    )


def test_bytes_that_no_quality_brings_down_are_refused() -> None:
    """The message says how many are allowed, the hint what can be done about it."""
    rule = ImageRule(min_side_px=64, max_side_px=2000, max_bytes=100_000)
    with pytest.raises(ImageRefused, match=r"at most 0\.1 MB") as refused:
        convert(make_image("JPEG", 1200, 1000, noise=True), rule)
    assert "fewer pixels" in refused.value.hint


def test_an_animation_gives_its_first_picture() -> None:
    """And says so."""
    stream = BytesIO()
    draw_sample().save(stream, "GIF", save_all=True, append_images=[draw_sample(noise=True)], duration=80)
    data, notes = convert(stream.getvalue())
    assert decode_image(data).format == "PNG"
    assert "only the first picture of the animation is used" in notes


def test_sixteen_bit_grey_keeps_its_tones() -> None:
    """A medical or depth picture, not a white one."""
    grey = Image.new("I;16", (320, 240), 32_768)
    data, _ = convert(encode_image(grey, "TIFF"))
    assert is_near(read_colour(data, 5, 5), (128, 128, 128), 1)
