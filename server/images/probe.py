"""What a picture's first bytes say: format, size, orientation; the pixels are not decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one picture. Width and height in pixels, upright: after the EXIF rotation."""

    format: str
    """Pillow's name: JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIF."""
    media_type: str
    width: int
    height: int
    size_bytes: int
    rotated: bool = False
    """True when EXIF asks for a rotation or mirroring."""
    alpha: bool = False
    frames: int = 1
