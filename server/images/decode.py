"""Decoding: the one way from the bytes of a picture to its pixels, whatever its format.

Pillow's decoders are called by name, one for each format that ``formats.py`` detects, and never through
``PIL.Image.open``: that would try one format after the other on a stranger's bytes, and warn of large pictures on
stderr before they can be refused in our words.

Whatever a decoder raises, and it may be anything, means that the picture is damaged. Only what it cannot hold in memory
says nothing of the picture: the call is made again with more of it (``workers``).
"""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.decode_cost import estimate_cost
from atelier_mcp.server.images.file_parts import extract_parts
from atelier_mcp.server.images.formats import ACCEPTED_FORMATS_HINT, HEAD_BYTES, detect_format
from atelier_mcp.server.images.jpeg_end import restore_end
from atelier_mcp.server.images.orientation import read_orientation, turn_upright
from atelier_mcp.server.images.srgb import convert_to_srgb

if TYPE_CHECKING:
    from collections.abc import Generator

    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

    from atelier_mcp.server.images.file_parts import FileParts

MAX_PIXELS = 100_000_000
"""More pixels than this are refused before anything is decoded."""

_DECODERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("atelier_mcp.server.images.decoders", "LeanWebPFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("atelier_mcp.server.images.decoders", "PlainTiffFile"),
    "AVIF": ("atelier_mcp.server.images.decoders", "PlainAvifFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
}
MAX_EXCESS, MAX_TILE_PIXELS = 4, 4_000_000
"""A tile may be larger than the picture it is of, but not without end: all of it is decoded."""
MAX_SCANS = 500
"""Of a JPEG: each goes over all its pixels, a few bytes of file are enough for one, and ten are usual."""
MAX_SCANNED_PIXELS = 4_000_000_000
"""The pixels of a JPEG times its scans: some seconds."""


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
    _check_cost(parts.data, image_format)
    damage = (
        f"This begins like a {image_format} picture, but its header is damaged or cut off, or of a kind that cannot "
    )
    with refuse_damage(f"{damage}be read here.", hint=ACCEPTED_FORMATS_HINT):
        image = decoder(BytesIO(parts.data), "")
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise build_too_many_pixels_error(f"The picture has {image.width:,} x {image.height:,} pixels")
    # Left out of what the decoder read, see `FileParts.profile`.
    if parts.profile is not None:
        image.info["icc_profile"] = parts.profile
    return image


def load_image(data: bytes, image_format: str, *, longest_px: int | None = None) -> ImageFile:
    """The picture with its pixels decoded, as they lie in the file.

    With ``longest_px`` a JPEG is decoded at a half, a quarter or an eighth of its size where that still has as many
    pixels. Raises ``ImageRefused`` when pixels are missing or damaged.
    """
    with refuse_damage(_build_damaged_pixels_message(image_format)):
        parts = extract_parts(data, image_format)
    try:
        return _load(parts, image_format, longest_px)
    except ImageRefused:
        # Perhaps only the last bytes are missing, which are no pixels (see `jpeg_end`).
        complete_data = restore_end(parts.data) if image_format == "JPEG" else None
        if complete_data is None:
            raise
        return _load(replace(parts, data=complete_data), image_format, longest_px)


def decode_upright(data: bytes, *, longest_px: int | None = None) -> Image:
    """A picture's pixels, whatever its format: 8-bit ``L``, ``RGB`` or ``RGBA`` in sRGB, upright, nothing beside them.

    ``longest_px`` as for ``load_image``; it is then up to the caller to scale the picture down to the exact size.
    Raises ``ImageRefused``.
    """
    image_format = detect_format(data[:HEAD_BYTES])
    if image_format is None:
        raise ImageRefused("This is not a picture we can read.", hint=ACCEPTED_FORMATS_HINT)
    image_file = load_image(data, image_format, longest_px=longest_px)
    with image_file, refuse_damage(_build_damaged_pixels_message(image_format)):
        # Pillow turns a TIFF while loading it and takes the tag away: nothing is turned twice.
        return turn_upright(convert_to_srgb(image_file), read_orientation(image_file))


def _load(parts: FileParts, image_format: str, longest_px: int | None) -> ImageFile:
    image = open_image(parts, image_format)
    if longest_px is not None:
        image.draft("RGB", (longest_px, longest_px))
    with refuse_damage(_build_damaged_pixels_message(image_format)):
        image.load()
    return image


def _build_damaged_pixels_message(image_format: str) -> str:
    return f"This {image_format} picture is damaged or cut off: its header is sound, its pixels cannot all be read."


def _check_cost(data: bytes, image_format: str) -> None:
    """Pass a picture that takes no more than its own size lets one expect; the others are made to take all there is."""
    cost = estimate_cost(data, image_format)
    if cost.pixels > MAX_PIXELS:
        raise build_too_many_pixels_error(f"{cost.what} has {cost.width:,} x {cost.height:,} pixels")
    if cost.shown_pixels is not None and cost.pixels > MAX_EXCESS * cost.shown_pixels + MAX_TILE_PIXELS:
        raise ImageRefused(
            f"{cost.what} has {cost.width:,} x {cost.height:,} pixels, many times those of the picture.",
            hint="Save it anew.",
        )
    if cost.scans > MAX_SCANS or cost.scans * cost.pixels > MAX_SCANNED_PIXELS:
        raise ImageRefused(
            f"This JPEG draws its pixels {cost.scans:,} times over, which takes too long.", hint="Save it anew."
        )


@contextmanager
def refuse_damage(message: str, *, hint: str = "Save or download it again.") -> Generator[None]:
    """Turn whatever a decoder raises into a refusal of the picture, but for a lack of memory."""
    try:
        yield
    except (ImageRefused, MemoryError):
        raise
    except Exception as err:  # a stranger's bytes: decoders fail in ever new ways
        from PIL.Image import DecompressionBombError

        if isinstance(err, DecompressionBombError):
            raise build_too_many_pixels_error("The picture is too large") from err
        raise ImageRefused(message, hint=hint) from err


def build_too_many_pixels_error(what: str) -> ImageRefused:
    """The refusal of a picture for its number of pixels; ``what`` begins the sentence."""
    return ImageRefused(
        f"{what}: at most {MAX_PIXELS // 1_000_000} megapixels are allowed.", hint="Give a smaller version of it."
    )
