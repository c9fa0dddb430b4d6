"""Make a picture fit what a service accepts, or say exactly why it does not."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.pixels import on_white, plain
from atelier_mcp.server.images.probe import load, open_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.providers.base import ImageRule

_QUALITIES = (92, 85, 75, 60)
_SHRINK = 0.8
_FEW_PIXELS = 1_000_000
"""Up to here a PNG is small and quick to write; above it a photo becomes a JPEG."""


def ready(data: bytes, header: Header, rule: ImageRule, *, may_shrink: bool = False) -> tuple[bytes, tuple[str, ...]]:
    """The bytes to send for a picture under a rule, and what was changed, for the reader.

    A picture that fits already comes back as the same bytes. Otherwise EXIF rotation is applied, a format the service
    does not read becomes PNG or JPEG, and too many bytes become a JPEG of lower quality; masks
    (``rule.same_ratio_as``) and transparent pictures are never made lossy where the service reads PNG. Sides are
    scaled down only when ``may_shrink``. Raises ``ImageRefused`` naming the limit that cannot be met. Decodes: call
    it in a thread.
    """
    size = _allowed_size(header, rule, may_shrink=may_shrink)
    if size == (header.width, header.height) and header.format in rule.formats and not header.rotated:
        if header.size_bytes <= rule.max_bytes:
            return data, ()
        if _formats(header, rule) == ("PNG",) and not may_shrink:
            raise _too_heavy(header, rule)
    image = _decoded(data, header, size)
    for encoded, (picture_format, quality), encoded_size in _attempts(image, header, rule, may_shrink=may_shrink):
        if len(encoded) <= rule.max_bytes:
            return encoded, tuple(_notes(header, picture_format, quality, encoded_size))
    raise _too_heavy(header, rule)


def _allowed_size(header: Header, rule: ImageRule, *, may_shrink: bool) -> tuple[int, int]:
    """Width and height within the rule's sides; the picture's own where they fit."""
    width, height = header.width, header.height
    if max(width, height) > rule.max_side_px and may_shrink:
        scale = rule.max_side_px / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    if rule.min_side_px <= min(width, height) and max(width, height) <= rule.max_side_px:
        return width, height
    too_large = max(width, height) > rule.max_side_px
    raise ImageRefused(
        f"The picture has {header.width} x {header.height} pixels; each side must have {rule.min_side_px} to "
        f"{rule.max_side_px}.",
        then=f"Give a {'smaller' if too_large else 'larger'} picture.",
    )


def _formats(header: Header, rule: ImageRule) -> tuple[str, ...]:
    """The formats to try, the better one first."""
    exact = rule.same_ratio_as is not None or header.alpha
    if "JPEG" not in rule.formats or (exact and "PNG" in rule.formats):
        return ("PNG",)
    photo = header.format == "JPEG" or header.width * header.height > _FEW_PIXELS
    return ("JPEG",) if photo or "PNG" not in rule.formats else ("PNG", "JPEG")


def _decoded(data: bytes, header: Header, size: tuple[int, int]) -> Image:
    from PIL import ImageOps
    from PIL.Image import Resampling

    with open_picture(BytesIO(data), header.format) as picture:
        load(picture)
        image = plain(picture)
    if header.rotated:
        ImageOps.exif_transpose(image, in_place=True)
    return image if image.size == size else image.resize(size, Resampling.LANCZOS)


def _attempts(
    image: Image, header: Header, rule: ImageRule, *, may_shrink: bool
) -> Iterator[tuple[bytes, tuple[str, int], tuple[int, int]]]:
    """Encodings with their format, quality and size, each coarser than the one before."""
    from PIL.Image import Resampling

    ways = [
        (picture_format, quality)
        for picture_format in _formats(header, rule)
        for quality in (_QUALITIES if picture_format == "JPEG" else (100,))
    ]
    while True:
        for way in ways:
            yield _encoded(image, *way), way, image.size
        width, height = int(image.width * _SHRINK), int(image.height * _SHRINK)
        if not may_shrink or min(width, height) < max(rule.min_side_px, 1):
            return
        image = image.resize((width, height), Resampling.LANCZOS)


def _encoded(image: Image, picture_format: str, quality: int) -> bytes:
    stream = BytesIO()
    profile = image.info.get("icc_profile")
    if picture_format == "PNG":
        level = 6 if image.width * image.height <= _FEW_PIXELS else 1
        image.save(stream, "PNG", compress_level=level, icc_profile=profile)
    else:
        subsampling = 0 if quality > 90 else 2
        on_white(image).save(stream, "JPEG", quality=quality, subsampling=subsampling, icc_profile=profile)
    return stream.getvalue()


def _notes(header: Header, picture_format: str, quality: int, size: tuple[int, int]) -> Iterator[str]:
    if header.rotated:
        yield "turned upright as its EXIF data asks"
    if header.frames > 1:
        yield "only the first picture of the animation is used"
    if size != (header.width, header.height):
        yield f"scaled down from {header.width} x {header.height} to {size[0]} x {size[1]}"
    if picture_format != header.format:
        yield f"converted from {header.format} to {picture_format}"
    if picture_format == "JPEG" and (quality < _QUALITIES[0] or header.format != "JPEG"):
        yield f"saved with JPEG quality {quality}"
    if picture_format == "JPEG" and header.alpha:
        yield "its transparency was filled with white"


def _too_heavy(header: Header, rule: ImageRule) -> ImageRefused:
    return ImageRefused(
        f"The picture has {header.size_bytes / 1e6:.1f} MB; at most {rule.max_bytes / 1e6:.1f} MB are accepted here.",
        then="Give a smaller picture, or allow it to be scaled down.",
    )
