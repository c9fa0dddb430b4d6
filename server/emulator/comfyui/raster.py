"""Plain work on pictures that nodes do: sizes, channels, masks, texts in files. Every function blocks; bytes are PNG.

A mask is a grey picture, white where something is to be done.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from PIL.Image import Image

NO_MASK_SIDE_PX: Final = 64
_SIGNATURE_BYTES: Final = 8
_HEADER_END: Final = _SIGNATURE_BYTES + 25
"""Behind the signature and the first chunk of a PNG."""


def load(data: bytes) -> tuple[bytes, bytes]:
    """A file's picture upright and without transparency, and its mask: what can be seen through.

    A picture without transparency has a small empty mask (contract: comfy.mask_size).
    """
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data)) as opened:
        image = ImageOps.exif_transpose(opened)
        if "A" in image.getbands() or "transparency" in image.info:
            alpha = image.convert("RGBA").getchannel("A")
            mask = ImageOps.invert(alpha)
        else:
            mask = Image.new("L", (NO_MASK_SIDE_PX, NO_MASK_SIDE_PX), 0)
        return _encode(image.convert("RGB")), _encode(mask)


def load_channel(data: bytes, channel: str) -> bytes:
    """One channel of a file as a mask; of transparency, what can be seen through."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data)) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGBA")
    plane = image.getchannel(channel[0].upper())
    return _encode(ImageOps.invert(plane) if channel == "alpha" else plane)


def measure(image: bytes) -> tuple[int, int]:
    """Width and height."""
    return _open(image).size


def scale(image: bytes, width: int, height: int, method: str, crop: str) -> bytes:
    """The picture in another size; a side of 0 follows from the other. ``crop`` is center or disabled."""
    from PIL import Image, ImageOps

    opened = _open(image)
    width = width or max(1, round(opened.width * height / opened.height))
    height = height or max(1, round(opened.height * width / opened.width))
    methods = {"nearest-exact": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR}
    filter_ = methods.get(method, Image.Resampling.LANCZOS)
    if crop == "center":
        return _encode(ImageOps.fit(opened, (width, height), filter_))
    return _encode(opened.resize((width, height), filter_))


def crop_to_step(image: bytes, step: int) -> bytes:
    """The middle of a picture whose sides are multiples of ``step``."""
    opened = _open(image)
    width, height = (side // step * step or step for side in opened.size)
    left, top = (opened.width - width) // 2, (opened.height - height) // 2
    return image if (width, height) == opened.size else _encode(opened.crop((left, top, left + width, top + height)))


def invert(image: bytes) -> bytes:
    """Light and dark exchanged."""
    from PIL import ImageOps

    return _encode(ImageOps.invert(_open(image)))


def grow(mask: bytes, pixels: int) -> bytes:
    """A mask with a margin around what it marks."""
    from PIL import ImageFilter

    return _encode(_open(mask).filter(ImageFilter.MaxFilter(2 * pixels + 1))) if pixels else mask


def is_empty(mask: bytes) -> bool:
    """True for a mask that marks nothing."""
    return _open(mask).convert("L").getextrema() == (0, 0)


def composite(destination: bytes, source: bytes, mask: bytes | None, x: int, y: int, *, resize: bool) -> bytes:
    """One picture laid on another, where the mask is white."""
    below, above = _open(destination), _open(source)
    above = above.resize(below.size) if resize else above
    plane = None if mask is None else _open(mask).convert("L").resize(above.size)
    below.paste(above, (x, y), plane)
    return _encode(below)


def put_alpha(image: bytes, mask: bytes) -> bytes:
    """A picture with the transparency of another one."""
    from PIL import Image

    with Image.open(io.BytesIO(mask)) as opened:
        alpha = opened.convert("RGBA").getchannel("A")
    below = _open(image).convert("RGBA")
    below.putalpha(alpha.resize(below.size))
    return _encode(below)


def keep_channels(data: bytes, channel: str) -> bytes:
    """A file with its colours alone, or its transparency alone (contract: view)."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGBA")
    if channel == "rgb":
        return _encode(image.convert("RGB"))
    alone = Image.new("RGBA", image.size)
    alone.putalpha(image.getchannel("A"))
    return _encode(alone)


def encode_preview(data: bytes, file_format: str, quality: int) -> bytes:
    """A file as ``webp`` or ``jpeg``."""
    buffer = io.BytesIO()
    _open(data).convert("RGB").save(buffer, file_format, quality=quality)
    return buffer.getvalue()


def add_texts(image: bytes, texts: dict[str, str]) -> bytes:
    """A PNG with texts in it, as the service writes the graph into its files (contract: comfy.metadata)."""
    chunks = b"".join(_build_text_chunk(name, text) for name, text in texts.items())
    return image[:_HEADER_END] + chunks + image[_HEADER_END:]


def _build_text_chunk(name: str, text: str) -> bytes:
    data = b"tEXt" + name.encode("latin-1") + b"\0" + text.encode("latin-1", "replace")
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


def _open(data: bytes) -> Image:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        return opened


def _encode(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
