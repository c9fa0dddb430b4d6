"""Pictures that are made to take more memory or time than anybody expects of them; each built in a few lines."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA_AT: Final = 1000
"""Where the pixels of a TIFF lie: behind all of its tags."""
_TIFF_DEFAULTS: Final = {"width": 256, "height": 256, "bits": 8, "compression": 8, "photometric": 1, "samples": 1}
_TIFF_TAGS: Final = {
    "width": 256,
    "height": 257,
    "bits": 258,
    "compression": 259,
    "photometric": 262,
    "offsets": 273,
    "samples": 277,
    "rows_per_strip": 278,
    "byte_counts": 279,
    "tile_width": 322,
    "tile_height": 323,
    "tile_offsets": 324,
    "tile_byte_counts": 325,
}


def build_tiff(*, is_big: bool = False, order: str = "<", **tags: int) -> bytes:
    """A TIFF of 256 x 256 grey pixels whose pixels, deflated, are a few zeros; ``tags`` are ``_TIFF_TAGS`` by name."""
    pixels = zlib.compress(bytes(100))
    values: Mapping[str, int] = {**_TIFF_DEFAULTS, **_locate("tile_" if "tile_width" in tags else "", pixels), **tags}
    entries = sorted((_TIFF_TAGS[name], value) for name, value in values.items())
    if is_big:
        head = struct.pack(order + "2sHHHQ", _name_order(order), 43, 8, 0, 16) + struct.pack(order + "Q", len(entries))
        body = b"".join(struct.pack(order + "HHQQ", tag, 16, 1, value) for tag, value in entries) + bytes(8)
    else:
        head = struct.pack(order + "2sHI", _name_order(order), 42, 8) + struct.pack(order + "H", len(entries))
        body = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in entries) + bytes(4)
    return (head + body).ljust(_DATA_AT, b"\0") + pixels


def build_tiff_of_strips(count: int) -> bytes:
    """A TIFF of 16 x ``count`` pixels, each line a strip of its own, all of them the same few bytes."""
    pixels = bytes(16)
    offsets_at, counts_at = _DATA_AT + 16, _DATA_AT + 16 + 4 * count
    values = {"width": 16, "height": count, "bits": 8, "compression": 1, "photometric": 1, "samples": 1}
    entries = [(_TIFF_TAGS[name], 1, value) for name, value in values.items()]
    entries += [(273, count, offsets_at), (278, 1, 1), (279, count, counts_at)]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    body = b"".join(struct.pack("<HHII", tag, 4, number, value) for tag, number, value in sorted(entries)) + bytes(4)
    lists = struct.pack("<I", _DATA_AT) * count + struct.pack("<I", 16) * count
    return (head + body).ljust(_DATA_AT, b"\0") + pixels + lists


def build_jpeg_of_scans(count: int, *, width: int = 3000, height: int = 2800) -> bytes:
    """A progressive JPEG whose last scan is repeated so often; 23 bytes are enough for one."""
    data = encode("JPEG", Image.new("L", (width, height), 128), progressive=True)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last_scan * count + b"\xff\xd9"


@cache
def build_plain_webp(width: int, height: int) -> bytes:
    """A WebP of one colour: some hundred bytes, whatever its size."""
    return encode("WEBP", Image.new("RGBA", (width, height), (1, 2, 3, 4)), lossless=True, method=0, quality=0)


def build_png(size: tuple[int, int], *chunks: tuple[bytes, bytes], pixels: bytes = b"") -> bytes:
    """A PNG of grey pixels with more ``chunks`` in front of its ``pixels``, which are as many as there are given."""
    head = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    all_chunks = [(b"IHDR", head), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_build_png_chunk(kind, body) for kind, body in all_chunks)


def build_apng(frames: int) -> bytes:
    """A sound PNG of 64 x 64 that announces so many frames and has as many, of a pixel each."""
    control = struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 100, 0, 0)
    frame = (b"fcTL", control), (b"fdAT", bytes(4) + zlib.compress(b"\0\0"))
    pixels = zlib.compress(bytes(65 * 64))
    return build_png((64, 64), (b"acTL", struct.pack(">II", frames, 0)), *(frame * frames), pixels=pixels)


def build_gif(canvas: tuple[int, int], frame: tuple[int, int], *, frames: int = 1) -> bytes:
    """A GIF whose every frame says that it has the size ``frame`` and holds a few pixels."""
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80, 0, 0) + bytes(6)
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\x00"
    return head + image * frames + b"\x3b"


def build_webp_animation(canvas: tuple[int, int], *, frames: int) -> bytes:
    """An animated WebP that announces a canvas, with frames of 16 x 16."""
    still = encode("WEBP", Image.new("RGB", (16, 16)), lossless=True)
    image = still[12:]
    frame_head = bytes(6) + (15).to_bytes(3, "little") * 2 + bytes(4)
    frame = b"ANMF" + struct.pack("<I", len(frame_head) + len(image)) + frame_head + image
    size = b"".join((side - 1).to_bytes(3, "little") for side in canvas)
    content = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    content += frame * frames
    return b"RIFF" + struct.pack("<I", len(content)) + content


def encode(image_format: str, image: Image.Image, **options: Any) -> bytes:
    """The picture as a file."""
    stream = BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def _locate(prefix: str, pixels: bytes) -> dict[str, int]:
    return {f"{prefix}offsets": _DATA_AT, f"{prefix}byte_counts": len(pixels)}


def _name_order(order: str) -> bytes:
    return b"II" if order == "<" else b"MM"


def _build_png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
