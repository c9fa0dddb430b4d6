"""Decoding: the one way from the bytes of a picture to its pixels, whatever its format.

Pillow's decoders are called by name, one for each format that ``formats.py`` detects, and never through
``PIL.Image.open``: that would try one format after the other on a stranger's bytes, and warn of large pictures on
stderr before they can be refused in our words.
"""

from __future__ import annotations

import importlib
import struct
from dataclasses import replace
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.colour import convert_to_srgb
from atelier_mcp.server.images.file_parts import extract_parts
from atelier_mcp.server.images.formats import ACCEPTED_FORMATS_HINT, HEAD_BYTES, detect_format
from atelier_mcp.server.images.jpeg_end import restore_end
from atelier_mcp.server.images.orientation import read_orientation, turn_upright

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

    from atelier_mcp.server.images.file_parts import FileParts

MAX_PIXELS = 100_000_000
"""More pixels than this are refused before anything is decoded."""

_DECODERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("atelier_mcp.server.images.decoders", "PlainTiffFile"),
    "AVIF": ("atelier_mcp.server.images.decoders", "PlainAvifFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
}
DECODE_ERRORS = (SyntaxError, OSError, ValueError, LookupError, TypeError, EOFError, ArithmeticError, struct.error)
"""What Pillow's decoders raise on broken bytes, depending on the format and on where the break is."""


def open_image(parts: FileParts, image_format: str) -> ImageFile:
    """The picture with its header read and its pixels not yet decoded. ``image_format`` is Pillow's name of it.

    Raises ``ImageRefused`` for a damaged header, too many pixels, or a format this server was installed without.
    """
    module, name = _DECODERS[image_format]
    try:
        decoder: Any = getattr(importlib.import_module(module), name)
    except ImportError as err:
        raise ImageRefused(
            "This is a HEIC picture, and this server was installed without support for those.",
            hint="Convert it to JPEG or PNG, or install atelier-mcp[heif].",
        ) from err
    from PIL.Image import DecompressionBombError

    try:
        image = decoder(BytesIO(parts.data), "")
    except DecompressionBombError as err:
        raise build_too_many_pixels_error("The picture is too large") from err
    except DECODE_ERRORS as err:
        raise ImageRefused(
            f"This begins like a {image_format} picture, but its header is damaged or cut off, or of a kind that "
            "cannot be read here.",
            hint=ACCEPTED_FORMATS_HINT,
        ) from err
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise build_too_many_pixels_error(f"The picture has {image.width:,} x {image.height:,} pixels")
    if parts.profile is not None:
        image.info["icc_profile"] = parts.profile
    return image


def load_image(data: bytes, image_format: str, *, longest_px: int | None = None) -> ImageFile:
    """The picture with its pixels decoded, as they lie in the file.

    With ``longest_px`` a JPEG is decoded at a half, a quarter or an eighth of its size where that still has as many
    pixels. Raises ``ImageRefused`` when pixels are missing or damaged.
    """
    parts = extract_parts(data, image_format)
    try:
        return _load(parts, image_format, longest_px)
    except ImageRefused:
        complete_data = restore_end(parts.data) if image_format == "JPEG" else None
        if complete_data is None:
            raise
        return _load(replace(parts, data=complete_data), image_format, longest_px)


def decode_picture(data: bytes) -> Image:
    """The pixels of a picture in any format, as ``decode_upright`` gives them. Raises ``ImageRefused``."""
    image_format = detect_format(data[:HEAD_BYTES])
    if image_format is None:
        raise ImageRefused("This is not a picture we can read.", hint=ACCEPTED_FORMATS_HINT)
    return decode_upright(BytesIO(data), image_format)


def decode_upright(stream: IO[bytes], image_format: str, *, longest_px: int | None = None) -> Image:
    """The pixels as 8-bit ``L``, ``RGB`` or ``RGBA`` in sRGB, upright, with nothing beside them.

    ``longest_px`` as for ``load_image``; it is then up to the caller to scale the picture down to the exact size.
    Raises ``ImageRefused``.
    """
    with load_image(stream.read(), image_format, longest_px=longest_px) as image_file:
        # Pillow turns a TIFF while loading it and takes the tag away: nothing is turned twice.
        return turn_upright(convert_to_srgb(image_file), read_orientation(image_file))


def _load(parts: FileParts, image_format: str, longest_px: int | None) -> ImageFile:
    image = open_image(parts, image_format)
    if longest_px is not None:
        image.draft("RGB", (longest_px, longest_px))
    try:
        image.load()
    except DECODE_ERRORS as err:
        raise ImageRefused(
            f"This {image_format} picture is damaged or cut off: its header is sound, its pixels cannot all be read.",
            hint="Save or download it again.",
        ) from err
    return image


def build_too_many_pixels_error(what: str) -> ImageRefused:
    """The refusal of a picture for its number of pixels; ``what`` begins the sentence."""
    return ImageRefused(
        f"{what}: at most {MAX_PIXELS // 1_000_000} megapixels are allowed.", hint="Give a smaller version of it."
    )
