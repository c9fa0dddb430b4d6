"""Make a picture fit what a service accepts, or say exactly why it does not."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.file_parts import remove_ambiguities
from atelier_mcp.server.images.pixels import flatten_on_white
from atelier_mcp.server.images.placement import enlarge_to_minimum
from atelier_mcp.server.images.probe import probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.probe import ImageHeader

_QUALITIES = (92, 85, 75, 60)
"""Of JPEG, the best one first; below 60 the blocks show."""
_SMALL_IMAGE_PIXELS = 1_000_000
"""Up to here a PNG is small and quick to write; above it a photo becomes a JPEG."""


def convert_to_rule(data: bytes, header: ImageHeader, rule: ImageRule) -> tuple[bytes, tuple[str, ...]]:
    """The bytes to send for a sound picture (``probe.verify``) under a rule, and what was changed, for the reader.

    A picture that fits already comes back as the same bytes. Otherwise EXIF rotation is applied, colours become 8-bit
    sRGB, a format the service does not read becomes PNG or JPEG, and too many bytes become a JPEG of lower quality;
    masks (``rule.same_ratio_as``) and transparent pictures are never made lossy where the service reads PNG. A picture
    under the smallest side is brought to it (``rule.fit_size``); one over the largest is refused. Raises
    ``ImageRefused`` naming the limit that cannot be met. Decodes: called in a worker.
    """
    size = rule.fit_size((header.width, header.height))
    _check_sides(header, size, rule)
    is_resized = size != (header.width, header.height)
    is_ready = not (is_resized or header.is_rotated or header.colour_changes)
    if is_ready and header.format in rule.formats:
        if header.size_bytes <= rule.max_bytes:
            # The pixels are fine as they are: only what other readers may trip over is left out.
            return (remove_ambiguities(data, header.format) if header.is_ambiguous else data), ()
        # A PNG of the same pixels would hardly be smaller: refused before half a second goes into making it.
        if _choose_formats(header, rule) == ("PNG",):
            raise _build_too_many_bytes_error(header, rule)
    image = decode_upright(data)
    if is_resized:
        image = _bring_to_size(image, size, rule)
    for data_to_send, image_format, quality in _iterate_encodings(image, _choose_formats(header, rule)):
        if len(data_to_send) <= rule.max_bytes:
            changes = [*_describe_resize(header, size, rule), *_describe_changes(header, image_format, quality)]
            return data_to_send, tuple(changes)
    raise _build_too_many_bytes_error(header, rule)


def flatten_to_rule(data: bytes, rule: ImageRule) -> tuple[bytes, bool]:
    """A transparent picture laid on white, as the service reads it, and whether anything could be seen through.

    Lossless where its bytes allow it. Raises ``ImageRefused`` and blocks as ``convert_to_rule`` does.
    """
    header = probe(data)
    image = decode_upright(data)
    formats = tuple(name for name in ("PNG", "JPEG") if name in rule.formats)
    for data_to_send, _, _ in _iterate_encodings(flatten_on_white(image), formats):
        if len(data_to_send) <= rule.max_bytes:
            return data_to_send, image.mode == "RGBA"
    raise _build_too_many_bytes_error(header, rule)


def describe_decoding(header: ImageHeader) -> Iterator[str]:
    """What reading a picture changes about it, for the reader."""
    if header.is_rotated:
        yield "turned upright as its EXIF data asks"
    yield from header.colour_changes
    if header.frames > 1:
        yield "only the first picture of the animation is used"


def _check_sides(header: ImageHeader, size: tuple[int, int], rule: ImageRule) -> None:
    """Pass a picture that can be sent in ``size``."""
    if rule.min_side_px <= min(size) and max(size) <= rule.max_side_px:
        return
    raise ImageRefused(
        f"The picture has {header.width} x {header.height} pixels; each side must have {rule.min_side_px} to "
        f"{rule.max_side_px}.",
        hint=_suggest_size(header, rule),
    )


def _suggest_size(header: ImageHeader, rule: ImageRule) -> str:
    is_wide = header.width >= header.height
    if max(header.width, header.height) > rule.max_side_px:
        return f"transform_image(image=..., {'width' if is_wide else 'height'}={rule.max_side_px}) makes a smaller one."
    width, height = max(header.width, rule.min_side_px), max(header.height, rule.min_side_px)
    # So long and narrow that enlarging it to the minimum would pass the maximum.
    if max(enlarge_to_minimum((header.width, header.height), rule.min_side_px)) > rule.max_side_px:
        return f'transform_image(image=..., width={width}, height={height}, fit="pad") gives it a border.'
    return f"transform_image(image=..., {'height' if is_wide else 'width'}={rule.min_side_px}) makes a larger one."


def _bring_to_size(image: Image, size: tuple[int, int], rule: ImageRule) -> Image:
    from PIL.Image import Resampling, new

    info = image.info
    if rule.keeps_coordinates:
        sized = new("RGB", size, "white")
        sized.paste(image, (0, 0), image if image.mode == "RGBA" else None)
    else:
        # A mask stays black and white: between its pixels there is nothing to mix.
        is_mask = rule.same_ratio_as is not None
        sized = image.resize(size, Resampling.NEAREST if is_mask else Resampling.LANCZOS)
    sized.info = info
    return sized


def _describe_resize(header: ImageHeader, size: tuple[int, int], rule: ImageRule) -> Iterator[str]:
    old_size = header.width, header.height
    if old_size == size:
        return
    if rule.keeps_coordinates:
        yield (
            f"{header.width}x{header.height} got a white border at the right and below, to {size[0]}x{size[1]}, for "
            "the service; coordinates are those of the picture"
        )
    else:
        verb = "enlarged" if size > old_size else "reduced"
        yield f"{verb} {header.width}x{header.height} to {size[0]}x{size[1]} first, for the service"


def _choose_formats(header: ImageHeader, rule: ImageRule) -> tuple[str, ...]:
    """The formats to try, the better one first."""
    needs_lossless = rule.same_ratio_as is not None or header.has_alpha
    if "JPEG" not in rule.formats or (needs_lossless and "PNG" in rule.formats):
        return ("PNG",)
    is_photo = header.format == "JPEG" or header.width * header.height > _SMALL_IMAGE_PIXELS
    return ("JPEG",) if is_photo or "PNG" not in rule.formats else ("PNG", "JPEG")


def _iterate_encodings(image: Image, image_formats: tuple[str, ...]) -> Iterator[tuple[bytes, str, int]]:
    """Encodings with their format and quality, each coarser than the one before. Lazy: each one takes its time."""
    for image_format in image_formats:
        for quality in _QUALITIES if image_format == "JPEG" else (100,):
            yield _encode(image, image_format, quality), image_format, quality


def _encode(image: Image, image_format: str, quality: int) -> bytes:
    stream = BytesIO()
    if image_format == "PNG":
        level = 6 if image.width * image.height <= _SMALL_IMAGE_PIXELS else 1
        image.save(stream, "PNG", compress_level=level)
    else:
        # The best quality keeps colours at full resolution, the coarser ones at half of it.
        subsampling = 0 if quality > 90 else 2
        flatten_on_white(image).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    return stream.getvalue()


def _describe_changes(header: ImageHeader, image_format: str, quality: int) -> Iterator[str]:
    yield from describe_decoding(header)
    if image_format != header.format:
        yield f"converted from {header.format} to {image_format}"
    # A JPEG that is neither turned nor of lower quality was saved anew for its bytes alone, which is a change as well.
    is_redrawn = header.is_rotated or bool(header.colour_changes)
    if image_format == "JPEG" and (quality < _QUALITIES[0] or header.format != "JPEG" or not is_redrawn):
        yield f"saved with JPEG quality {quality}"
    if image_format == "JPEG" and header.has_alpha:
        yield "its transparency was filled with white"


def _build_too_many_bytes_error(header: ImageHeader, rule: ImageRule) -> ImageRefused:
    return ImageRefused(
        f"The picture has {header.size_bytes / 1e6:.1f} MB; at most {rule.max_bytes / 1e6:.1f} MB are accepted here.",
        hint="Give a smaller picture, one of fewer pixels.",
    )
