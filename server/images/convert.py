"""Make a picture fit what a service accepts, or say exactly why it does not."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.pixels import flatten_on_white, normalize_mode
from atelier_mcp.server.images.probe import load_pixels, open_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.probe import ImageHeader

_QUALITIES = (92, 85, 75, 60)
_SHRINK = 0.8
_SMALL_IMAGE_PIXELS = 1_000_000
"""Up to here a PNG is small and quick to write; above it a photo becomes a JPEG."""


def convert_to_rule(
    data: bytes, header: ImageHeader, rule: ImageRule, *, may_shrink: bool = False
) -> tuple[bytes, tuple[str, ...]]:
    """The bytes to send for a picture under a rule, and what was changed, for the reader.

    A picture that fits already comes back as the same bytes. Otherwise EXIF rotation is applied, a format the service
    does not read becomes PNG or JPEG, and too many bytes become a JPEG of lower quality; masks
    (``rule.same_ratio_as``) and transparent pictures are never made lossy where the service reads PNG. Sides are
    scaled down only when ``may_shrink``. Raises ``ImageRefused`` naming the limit that cannot be met. Decodes: call
    it in a thread.
    """
    size = _compute_size(header, rule, may_shrink=may_shrink)
    if size == (header.width, header.height) and header.format in rule.formats and not header.is_rotated:
        if header.size_bytes <= rule.max_bytes:
            return data, ()
        if _choose_formats(header, rule) == ("PNG",) and not may_shrink:
            raise _build_too_many_bytes_error(header, rule)
    image = _decode(data, header, size)
    for data_to_send, (image_format, quality), sent_size in _iterate_encodings(
        image, header, rule, may_shrink=may_shrink
    ):
        if len(data_to_send) <= rule.max_bytes:
            return data_to_send, tuple(_describe_changes(header, image_format, quality, sent_size))
    raise _build_too_many_bytes_error(header, rule)


def _compute_size(header: ImageHeader, rule: ImageRule, *, may_shrink: bool) -> tuple[int, int]:
    """Width and height within the rule's sides; the picture's own where they fit."""
    width, height = header.width, header.height
    if max(width, height) > rule.max_side_px and may_shrink:
        scale = rule.max_side_px / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    if rule.min_side_px <= min(width, height) and max(width, height) <= rule.max_side_px:
        return width, height
    is_too_large = max(width, height) > rule.max_side_px
    raise ImageRefused(
        f"The picture has {header.width} x {header.height} pixels; each side must have {rule.min_side_px} to "
        f"{rule.max_side_px}.",
        hint=f"Give a {'smaller' if is_too_large else 'larger'} picture.",
    )


def _choose_formats(header: ImageHeader, rule: ImageRule) -> tuple[str, ...]:
    """The formats to try, the better one first."""
    needs_lossless = rule.same_ratio_as is not None or header.has_alpha
    if "JPEG" not in rule.formats or (needs_lossless and "PNG" in rule.formats):
        return ("PNG",)
    is_photo = header.format == "JPEG" or header.width * header.height > _SMALL_IMAGE_PIXELS
    return ("JPEG",) if is_photo or "PNG" not in rule.formats else ("PNG", "JPEG")


def _decode(data: bytes, header: ImageHeader, size: tuple[int, int]) -> Image:
    from PIL import ImageOps
    from PIL.Image import Resampling

    with open_image(BytesIO(data), header.format) as image_file:
        load_pixels(image_file)
        image = normalize_mode(image_file)
    if header.is_rotated:
        ImageOps.exif_transpose(image, in_place=True)
    return image if image.size == size else image.resize(size, Resampling.LANCZOS)


def _iterate_encodings(
    image: Image, header: ImageHeader, rule: ImageRule, *, may_shrink: bool
) -> Iterator[tuple[bytes, tuple[str, int], tuple[int, int]]]:
    """Encodings with their format, quality and size, each coarser than the one before."""
    from PIL.Image import Resampling

    encodings = [
        (image_format, quality)
        for image_format in _choose_formats(header, rule)
        for quality in (_QUALITIES if image_format == "JPEG" else (100,))
    ]
    while True:
        for encoding in encodings:
            yield _encode(image, *encoding), encoding, image.size
        width, height = int(image.width * _SHRINK), int(image.height * _SHRINK)
        if not may_shrink or min(width, height) < max(rule.min_side_px, 1):
            return
        image = image.resize((width, height), Resampling.LANCZOS)


def _encode(image: Image, image_format: str, quality: int) -> bytes:
    stream = BytesIO()
    profile = image.info.get("icc_profile")
    if image_format == "PNG":
        level = 6 if image.width * image.height <= _SMALL_IMAGE_PIXELS else 1
        image.save(stream, "PNG", compress_level=level, icc_profile=profile)
    else:
        subsampling = 0 if quality > 90 else 2
        flatten_on_white(image).save(stream, "JPEG", quality=quality, subsampling=subsampling, icc_profile=profile)
    return stream.getvalue()


def _describe_changes(header: ImageHeader, image_format: str, quality: int, size: tuple[int, int]) -> Iterator[str]:
    if header.is_rotated:
        yield "turned upright as its EXIF data asks"
    if header.frames > 1:
        yield "only the first picture of the animation is used"
    if size != (header.width, header.height):
        yield f"scaled down from {header.width} x {header.height} to {size[0]} x {size[1]}"
    if image_format != header.format:
        yield f"converted from {header.format} to {image_format}"
    if image_format == "JPEG" and (quality < _QUALITIES[0] or header.format != "JPEG"):
        yield f"saved with JPEG quality {quality}"
    if image_format == "JPEG" and header.has_alpha:
        yield "its transparency was filled with white"


def _build_too_many_bytes_error(header: ImageHeader, rule: ImageRule) -> ImageRefused:
    return ImageRefused(
        f"The picture has {header.size_bytes / 1e6:.1f} MB; at most {rule.max_bytes / 1e6:.1f} MB are accepted here.",
        hint="Give a smaller picture, or allow it to be scaled down.",
    )
