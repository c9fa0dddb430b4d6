"""What a picture's first bytes say: format, size, orientation, colours; the pixels are not decoded.

Some decoders decode for as little as that, so it is done in a worker as well (``workers``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.decode import load_image, open_image, refuse_damage
from atelier_mcp.server.images.file_parts import extract_parts
from atelier_mcp.server.images.formats import (
    ACCEPTED_FORMATS_HINT,
    HEAD_BYTES,
    MEDIA_TYPES,
    describe_content,
    detect_format,
)
from atelier_mcp.server.images.orientation import SIDEWAYS, UPRIGHT, has_meaningless_tag, read_orientation
from atelier_mcp.server.images.srgb import describe_conversion

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.ImageFile import ImageFile

    from atelier_mcp.server.images.file_parts import FileParts

# After the signature (8 bytes), the head of the first part (8), width and height (4 each).
_PNG_DEPTH_OFFSET = 24
_TIFF_BITS_PER_SAMPLE = 258


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The header of one picture. Width and height in pixels, upright: after the EXIF rotation."""

    format: str
    """Pillow's name: JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIF."""
    media_type: str
    width: int
    height: int
    size_bytes: int
    is_rotated: bool = False
    """True when EXIF asks for a rotation or mirroring."""
    has_alpha: bool = False
    frames: int = 1
    """1 for a still picture, 2 for an animation of any length: counting would mean reading all of it."""
    colour_changes: tuple[str, ...] = ()
    """What is lost or converted when it is made 8-bit sRGB, for the reader; empty when it is that already."""
    is_ambiguous: bool = False
    """True when other readers may turn it, by XMP for example, or refuse it, for what is wrong beside its pixels."""


def probe(data: bytes) -> ImageHeader:
    """The header of a picture in memory. Raises ``ImageRefused`` saying what the bytes are instead."""
    head = data[:HEAD_BYTES]
    image_format = detect_format(head)
    if image_format is None:
        raise ImageRefused(f"This is {describe_content(head)}, not a picture we can read.", hint=ACCEPTED_FORMATS_HINT)
    with (
        refuse_damage("The picture's header is damaged."),
        open_image(parts := extract_parts(data, image_format), image_format) as image,
    ):
        return _read_header(image, parts, size_bytes=len(data))


def probe_file(path: Path) -> ImageHeader:
    """The header of a picture on disk.

    Raises ``ImageRefused`` saying what the file is instead.
    """
    return probe(read_image(path))


def read_image(path: Path) -> bytes:
    """The bytes of a picture on disk. Raises ``ImageRefused`` where it has been taken away."""
    try:
        return path.read_bytes()
    except OSError as err:
        raise ImageRefused(f"{path.name} cannot be read any more.", hint="Check that the file is still there.") from err


def verify(data: bytes) -> ImageHeader:
    """The header of a picture whose every pixel has been decoded once.

    Raises ``ImageRefused`` for a truncated or damaged one. Takes as long as decoding does (12 megapixels: JPEG 30 ms,
    PNG 400 ms).
    """
    header = probe(data)
    # A JPEG is read to its end all the same, but only an eighth of it is drawn.
    load_image(data, header.format, longest_px=1).close()
    return header


def _read_header(image: ImageFile, parts: FileParts, *, size_bytes: int) -> ImageHeader:
    image_format = image.format or ""
    width, height = image.size
    orientation = read_orientation(image)
    if orientation in SIDEWAYS and image_format != "TIFF":  # Pillow swaps the sides of a TIFF itself
        width, height = height, width
    return ImageHeader(
        format=image_format,
        media_type=MEDIA_TYPES[image_format],
        width=width,
        height=height,
        size_bytes=size_bytes,
        is_rotated=orientation != UPRIGHT,
        has_alpha=image.has_transparency_data,
        frames=2 if _is_animated(image, image_format) else 1,
        colour_changes=(*describe_conversion(image, bits=_read_bits(image, parts.data)), *parts.colour_notes),
        is_ambiguous=parts.is_ambiguous or has_meaningless_tag(image),
    )


def _is_animated(image: ImageFile, image_format: str) -> bool:
    """To find a GIF's second picture the first would have to be read, so a GIF is believed what it says of itself."""
    if image_format == "GIF":
        return "loop" in image.info or bool(image.info.get("duration"))
    return getattr(image, "is_animated", False)


def _read_bits(image: ImageFile, data: bytes) -> int:
    """How many bits a channel has in the file."""
    if image.format == "PNG":
        return data[_PNG_DEPTH_OFFSET]
    tags: Any = getattr(image, "tag_v2", {})
    bits: Any = tags.get(_TIFF_BITS_PER_SAMPLE, 8)
    return int(max(bits)) if isinstance(bits, tuple) else int(bits)  # pyright: ignore[reportUnknownArgumentType]  # whatever a tag holds
