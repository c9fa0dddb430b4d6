"""Encoding of what was made here: PNG, JPEG or WebP, in sRGB and without metadata."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from atelier_mcp.server.errors import InvalidRequest

if TYPE_CHECKING:
    from PIL.Image import Image

FileFormat: TypeAlias = Literal["png", "jpg", "webp"]

MAX_RESULT_PIXELS: Final = 100_000_000
DEFAULT_QUALITY: Final = 92
_FORMATS: Final[dict[str, FileFormat]] = {"JPEG": "jpg", "HEIF": "jpg", "AVIF": "jpg", "WEBP": "webp"}
"""In which format a picture is written that came in another: photos stay lossy, the rest lossless."""
_SMALL_IMAGE_PIXELS: Final = 2_000_000
"""Up to here a PNG is packed well; a larger one quickly."""


def choose_format(source_format: str, *, has_transparency: bool) -> FileFormat:
    """The format for a picture that came in Pillow's ``source_format``; never one that would lose its transparency."""
    file_format = _FORMATS.get(source_format, "png")
    return "png" if has_transparency and file_format == "jpg" else file_format


def encode_image(image: Image, file_format: FileFormat, *, quality: int = DEFAULT_QUALITY) -> bytes:
    """The bytes of a picture; ``quality``, 1 to 100, is of JPEG and WebP."""
    stream = BytesIO()
    if file_format == "png":
        image.save(stream, "PNG", compress_level=6 if image.width * image.height <= _SMALL_IMAGE_PIXELS else 1)
    elif file_format == "webp":
        image.save(stream, "WEBP", quality=quality, method=2)
    else:
        image.convert("RGB").save(stream, "JPEG", quality=quality, subsampling=0 if quality >= DEFAULT_QUALITY else 2)
    return stream.getvalue()


def check_result_size(width: int, height: int) -> None:
    """Pass a size that may be made; raise ``InvalidRequest`` past 100 megapixels, before anything is allocated."""
    if width * height > MAX_RESULT_PIXELS:
        raise InvalidRequest(
            f"The result would have {width:,} x {height:,} pixels; at most {MAX_RESULT_PIXELS // 1_000_000} megapixels "
            "are made.",
            hint="Ask for a smaller one.",
        )
