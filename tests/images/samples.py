"""Pictures and broken pictures for the tests of the images package."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

ORIENTATION = 0x0112
LIME = (0, 255, 0)


def draw_sample(width: int = 320, height: int = 240, *, mode: str = "RGB", noise: bool = False) -> Image.Image:
    """Red above, blue below, a green corner at the top left; or noise, which no format can make small."""
    if noise:
        pixels = random.Random(4711).randbytes(width * height * len(mode))
        return Image.frombytes(mode, (width, height), pixels)
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (0, height // 2, width, height))
    image.paste("lime", (0, 0, width // 4, height // 4))
    image = image.convert(mode)
    if mode == "RGBA":
        image.paste((0, 0, 0, 0), (width // 2, height // 2, width, height))
    return image


def encode_image(image: Image.Image, image_format: str = "PNG", *, orientation: int | None = None) -> bytes:
    """The picture as a file, with an EXIF orientation if one is given."""
    stream = BytesIO()
    exif = Image.Exif()
    if orientation is not None:
        exif[ORIENTATION] = orientation
    if image_format == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif", reason="needs atelier-mcp[heif]")
        pillow_heif.from_pillow(image).save(stream, exif=exif.tobytes())
    elif orientation is None:
        image.save(stream, image_format)
    else:
        image.save(stream, image_format, exif=exif)
    return stream.getvalue()


def make_image(
    image_format: str = "PNG", width: int = 320, height: int = 240, *, mode: str = "RGB", noise: bool = False
) -> bytes:
    """A file of that format and size."""
    return encode_image(draw_sample(width, height, mode=mode, noise=noise), image_format)


def decode_image(data: bytes) -> Image.Image:
    """The pixels of a file."""
    image = Image.open(BytesIO(data))
    image.load()
    return image


def read_colour(data: bytes, x: int, y: int) -> tuple[int, int, int]:
    """Red, green and blue of one pixel of a file."""
    red, green, blue = decode_image(data).convert("RGB").crop((x, y, x + 1, y + 1)).tobytes()
    return red, green, blue


def is_near(colour: tuple[int, int, int], wanted: tuple[int, int, int], tolerance: int = 8) -> bool:
    """True when no channel differs by more than a lossy format may change it."""
    return all(abs(one - other) <= tolerance for one, other in zip(colour, wanted, strict=True))


def build_png(width: int, height: int) -> bytes:
    """A PNG that announces a size and brings hardly any pixels."""

    def build_chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + build_chunk(b"IHDR", header)
        + build_chunk(b"IDAT", zlib.compress(b"\0"))
        + build_chunk(b"IEND", b"")
    )


def build_truncated_jpeg() -> bytes:
    """The first half of a JPEG."""
    data = make_image("JPEG", noise=True)
    return data[: len(data) // 2]


HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)
"""How a HEIC picture begins."""
