"""Decoding: the one way from the bytes of a picture to its pixels, whatever its format.

Pillow's decoders are called by name, one for each format that ``formats.py`` detects, and never through
``PIL.Image.open``: that would try one format after the other on a stranger's bytes, and warn of large pictures on
stderr before they can be refused in our words.
"""

from __future__ import annotations

import importlib
import struct
from typing import IO, TYPE_CHECKING, Any

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.formats import ACCEPTED_FORMATS_HINT
from atelier_mcp.server.images.pixels import normalize_mode

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 100_000_000
"""More pixels than this are refused before anything is decoded."""

_DECODERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
}
DECODE_ERRORS = (SyntaxError, OSError, ValueError, LookupError, TypeError, EOFError, ArithmeticError, struct.error)
"""What Pillow's decoders raise on broken bytes, depending on the format and on where the break is."""


def open_image(stream: IO[bytes], image_format: str) -> ImageFile:
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
        return decoder(stream, "")
    except DecompressionBombError as err:
        raise build_too_many_pixels_error("The picture is too large") from err
    except DECODE_ERRORS as err:
        raise ImageRefused(
            f"This begins like a {image_format} picture, but its header is damaged or cut off.",
            hint=ACCEPTED_FORMATS_HINT,
        ) from err


def load_pixels(image: ImageFile) -> None:
    """Decode the pixels. Raises ``ImageRefused`` when the picture is truncated or damaged."""
    try:
        image.load()
    except DECODE_ERRORS as err:
        raise ImageRefused(
            f"This {image.format} picture is damaged or cut off: its header is sound, its pixels cannot all be read.",
            hint="Save or download it again.",
        ) from err


def decode_upright(stream: IO[bytes], image_format: str, *, longest_px: int | None = None) -> Image:
    """The pixels as 8-bit ``L``, ``RGB`` or ``RGBA``, turned as EXIF asks.

    With ``longest_px`` a JPEG is decoded at a half, a quarter or an eighth of its size where that still has as many
    pixels; it is then up to the caller to scale it down to the exact size. Raises ``ImageRefused``.
    """
    from PIL import ImageOps

    with open_image(stream, image_format) as image_file:
        if longest_px is not None:
            image_file.draft("RGB", (longest_px, longest_px))
        load_pixels(image_file)
        image = normalize_mode(image_file)
    # Pillow turns a TIFF while loading it and takes the tag away: nothing is turned twice.
    ImageOps.exif_transpose(image, in_place=True)
    return image


def build_too_many_pixels_error(what: str) -> ImageRefused:
    """The refusal of a picture for its number of pixels; ``what`` begins the sentence."""
    return ImageRefused(
        f"{what}: at most {MAX_PIXELS // 1_000_000} megapixels are allowed.", hint="Give a smaller version of it."
    )
