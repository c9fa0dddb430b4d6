"""What is not pixels never decides over pixels: texts, profiles, checksums and last bytes that were lost."""

from __future__ import annotations

import random
import struct
import warnings
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.convert import convert_to_rule
from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.exchange import ImageRule
from atelier_mcp.server.images.probe import probe, verify
from tests.images.samples import decode_image, draw_sample, make_image

if TYPE_CHECKING:
    from collections.abc import Mapping

RULE = ImageRule(min_side_px=1)
AFTER_PNG_HEADER = 33
AFTER_JPEG_START = 2


def build_chunk(kind: bytes, body: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def add_to_png(chunk: bytes) -> bytes:
    """The sample with one more part in front of its pixels."""
    data = make_image("PNG")
    return data[:AFTER_PNG_HEADER] + chunk + data[AFTER_PNG_HEADER:]


def add_to_jpeg(marker: int, body: bytes) -> bytes:
    """The sample with one more segment at its beginning."""
    segment = struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
    return (data := make_image("JPEG"))[:AFTER_JPEG_START] + segment + data[AFTER_JPEG_START:]


def save_with_xmp(image_format: str) -> bytes:
    """A picture that ends with a long text on it."""
    stream = BytesIO()
    draw_sample().save(stream, image_format, xmp=b"<x:xmpmeta>" + b" " * 500 + b"</x:xmpmeta>", lossless=True)
    return stream.getvalue()


LONG = zlib.compress(random.Random(5).randbytes(2_000_000))
PNG, JPEG, GIF = make_image("PNG"), make_image("JPEG"), make_image("GIF")
SOUND: Mapping[str, bytes] = {
    "2 MB of compressed text": add_to_png(build_chunk(b"zTXt", b"Comment\0\0" + LONG)),
    "3 MB that unpack from nothing": add_to_png(build_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000)))),
    "2 MB of plain text": add_to_png(build_chunk(b"tEXt", b"Comment\0" + b"a" * 2_000_000)),
    "2 MB of international text": add_to_png(build_chunk(b"iTXt", b"Comment\0\1\0\0\0" + LONG)),
    "a profile of 2 MB": add_to_png(build_chunk(b"iCCP", b"Wide\0\0" + LONG)),
    "a profile that is none": add_to_png(build_chunk(b"iCCP", b"Wide")),
    "a text with a wrong checksum": add_to_png(build_chunk(b"tEXt", b"a\0b")[:-1] + b"?"),
    "a gamma that is cut short": add_to_png(build_chunk(b"gAMA", b"\0")),
    "a PNG without its end": PNG[:-12],
    "a PNG with half of its end": PNG[:-6],
    "a JPEG without its last byte": JPEG[:-1],
    "a JPEG without its last two bytes": JPEG[:-2],
    "a progressive JPEG without its last two bytes": make_image("JPEG", 321, 243, noise=True)[:-2],
    "a JPEG with a long comment": add_to_jpeg(0xFE, b"a" * 60_000),
    "a JPEG with a broken profile": add_to_jpeg(0xE2, b"ICC_PROFILE\0"),
    "a JPEG with broken FlashPix": add_to_jpeg(0xE2, b"FPXR\0"),
    "a JPEG with a broken index": add_to_jpeg(0xE2, b"MPF\0II*\0"),
    "a GIF without its end": GIF[:-1],
    "a WebP without the end of its text": save_with_xmp("WEBP")[:-100],
    "a WebP without its text": save_with_xmp("WEBP")[:-500],
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_picture_is_read_and_sent_on_in_order(name: str) -> None:
    """Every viewer opens it; a service that is stricter gets it without what is wrong."""
    data = SOUND[name]
    assert verify(data).width == decode_upright(data).width
    sent, _ = convert_to_rule(data, probe(data), RULE)
    with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(sent)) as strictly_read:
        strictly_read.load()
        assert strictly_read.convert("RGB").tobytes() == decode_upright(data).convert("RGB").tobytes()


def test_photoshop_resources_are_not_looked_at() -> None:
    """They say how a picture is printed."""
    broken = add_to_jpeg(0xED, b"Photoshop 3.0\x008BIM\4\4")
    assert decode_upright(broken).tobytes() == decode_upright(JPEG).tobytes()


@pytest.mark.parametrize("missing_bytes", [3, 4, 10, 40, 1000])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_all_its_pixels_is_damaged(missing_bytes: int, progressive: bool) -> None:
    """Grey rows, or rows of noise, are not what the caller meant to have edited."""
    stream = BytesIO()
    draw_sample(noise=True).save(stream, "JPEG", quality=90, progressive=progressive)
    with pytest.raises(ImageRefused, match="damaged or cut off"):
        verify(stream.getvalue()[:-missing_bytes])


def test_a_picture_in_order_is_left_as_it_is() -> None:
    """The same bytes, with the words that somebody wrote into it."""
    words = add_to_png(build_chunk(b"tEXt", b"parameters\0a red kite, steps 30"))
    for data in (words, PNG, JPEG, add_to_jpeg(0xFE, b"a red kite")):
        assert convert_to_rule(data, probe(data), RULE)[0] is data
        assert decode_image(data).size == (320, 240)
