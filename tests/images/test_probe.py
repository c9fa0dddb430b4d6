"""What is read from a picture's header, and what is said of things that are no pictures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.probe import probe, probe_file, verify
from tests.images.samples import HEIC_HEAD, build_png, build_truncated_jpeg, draw_sample, encode_image, make_image

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_format_is_known_by_its_bytes(image_format: str, tmp_path: Path) -> None:
    """The name of a file says nothing."""
    data = make_image(image_format)
    misnamed = tmp_path / "picture.txt"
    misnamed.write_bytes(data)

    header = probe_file(misnamed)

    assert header == probe(data) == verify(data)
    assert (header.format, header.media_type) == (image_format, f"image/{image_format.lower()}")
    assert (header.width, header.height, header.size_bytes) == (320, 240, len(data))
    assert (header.is_rotated, header.has_alpha, header.frames) == (False, False, 1)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_width_and_height_are_those_of_the_upright_picture(image_format: str) -> None:
    """A phone stores a portrait lying on its side."""
    lying = probe(encode_image(draw_sample(), image_format, orientation=6))
    mirrored = probe(encode_image(draw_sample(), image_format, orientation=2))

    assert (lying.width, lying.height, lying.is_rotated) == (240, 320, True)
    assert (mirrored.width, mirrored.height, mirrored.is_rotated) == (320, 240, True)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_transparency_is_seen(image_format: str) -> None:
    """It decides what a picture can be converted to."""
    assert probe(make_image(image_format, mode="RGBA")).has_alpha


def test_an_animation_is_told_from_a_still_picture(tmp_path: Path) -> None:
    """Services read the first picture only."""
    path = tmp_path / "moving.gif"
    draw_sample().save(path, save_all=True, append_images=[draw_sample(noise=True)], duration=80)
    assert probe_file(path).frames == 2


def test_the_pixels_are_not_read() -> None:
    """A header is enough, even for a PNG that might have EXIF data behind its pixels."""
    data = make_image("PNG", 2000, 2000, noise=True)
    assert probe(data[:2000]).width == 2000


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"A red kite over the sea.\n", "a text"),
        ("Ein roter Drachen über dem Meer. ".encode() * 40, "a text"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page"),
        (b"\n <html lang=en>", "an HTML page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b'{"error": "expired"}', "a JSON document"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "a video"),
        (b"BM is how a bitmap begins, and this sentence", "a text"),
        (bytes(range(7, 200)), "not a picture format we know"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "damaged or cut off"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "damaged or cut off"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "damaged or cut off"),
        (b"\xff\xd8\xff" + b"\xff" * 5_000_000, "damaged or cut off"),
        (b"\xff\xd8" + b"\xff\xfe\0\x02" * 200_000 + make_image("JPEG")[2:], "damaged or cut off"),
        (build_png(40_000, 40_000), "40,000 x 40,000 pixels: at most 100 megapixels"),
        (build_png(10_400, 9_700), "10,400 x 9,700 pixels: at most 100 megapixels"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, words: str) -> None:
    """The caller learns what the thing is and what is allowed."""
    with pytest.raises(ImageRefused, match=words) as refused:
        probe(data)
    assert "\n" not in refused.value.message
    assert refused.value.hint


def test_a_heic_picture_names_the_extra_that_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phones make them, and the decoder is an optional dependency."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageRefused, match="HEIC") as refused:
        probe(HEIC_HEAD)
    assert "atelier-mcp[heif]" in str(refused.value)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF"])
def test_a_truncated_picture_is_found_out(image_format: str) -> None:
    """Its header is sound, so only decoding tells."""
    data = make_image(image_format, noise=True)
    with pytest.raises(ImageRefused, match="damaged or cut off"):
        verify(data[: len(data) // 2])


def test_a_truncated_jpeg_is_refused_in_one_sentence() -> None:
    """Its header still passes."""
    assert probe(build_truncated_jpeg()).width == 320
    with pytest.raises(ImageRefused) as refused:
        verify(build_truncated_jpeg())
    assert refused.value.message.count(".") == 1
