"""Small work on pictures that needs no engine: formats, sizes, maps, and the text inside a PNG.

Everything here decodes or encodes: call it in a thread.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image

_HEADER_BYTES: Final = 33
"""Of a PNG: the signature and the first chunk."""
TEXT_KEY: Final = "parameters"


def add_text(png: bytes, text: str) -> bytes:
    """A PNG with the generation text inside, as the service saves its pictures (png_info)."""
    body = b"iTXt" + TEXT_KEY.encode() + b"\0\0\0\0\0" + text.encode()
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:_HEADER_BYTES] + chunk + png[_HEADER_BYTES:]


def read_text(data: bytes) -> str:
    """The generation text inside a picture; empty where there is none."""
    with _open(data) as image:
        image.load()
        return str(image.info.get(TEXT_KEY, ""))


def encode(image: Image, file_format: str = "PNG") -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


def convert(data: bytes, file_format: str) -> bytes:
    """The picture in another format."""
    with _open(data) as image:
        return encode(image if file_format == "PNG" else image.convert("RGB"), file_format)


def resize(data: bytes, width: int, height: int) -> bytes:
    """The picture at that size, as PNG."""
    with _open(data) as image:
        return encode(image if image.size == (width, height) else image.resize((width, height)))


def fit(data: bytes, width: int, height: int, *, crops: bool) -> bytes:
    """The picture scaled into a size, or over it and cropped from the middle, as PNG."""
    from PIL import ImageOps

    with _open(data) as image:
        size = (width, height)
        return encode(ImageOps.fit(image, size) if crops else ImageOps.pad(image, size))


def get_size(data: bytes) -> tuple[int, int]:
    """Width and height."""
    with _open(data) as image:
        return image.size


def read_mask(mask: bytes, size: tuple[int, int], *, is_inverted: bool, rounds: bool) -> bytes:
    """The engine's mask, black where to work, of a WebUI's, white where to redraw (conventions.mask).

    One with any transparency is read by its alpha: what is opaque is redrawn.
    """
    from PIL import ImageOps

    with _open(mask) as image:
        has_alpha = image.mode in ("RGBA", "LA") and not _is_plain(image.getchannel("A"), 255)
        plane = (image.getchannel("A") if has_alpha else image.convert("L")).resize(size)
    if rounds:
        plane = plane.point([0] * 128 + [255] * 128)
    return encode(plane if is_inverted else ImageOps.invert(plane))


def is_blank(mask: bytes) -> bool:
    """Whether a mask of the engine's marks nothing."""
    with _open(mask) as image:
        return _is_plain(image.convert("L"), 128)


def extract_alpha(data: bytes) -> bytes:
    """The opacity of a picture, white where it is opaque."""
    with _open(data) as image:
        return encode(image.convert("RGBA").getchannel("A"))


def detect_edges(data: bytes) -> bytes:
    """The edges of a picture, which stand for what any pre-processor finds."""
    from PIL import ImageFilter, ImageOps

    with _open(data) as image:
        grey = ImageOps.grayscale(image)
    return encode(grey.filter(ImageFilter.FIND_EDGES) if min(grey.size) > 2 else grey)


def _is_plain(plane: Image, least: int) -> bool:
    """Whether no grey value is under ``least``."""
    return not any(plane.histogram()[:least])


def _open(data: bytes) -> Image:
    from PIL import Image

    return Image.open(io.BytesIO(data))
