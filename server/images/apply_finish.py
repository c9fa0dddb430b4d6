"""Finishing a service's pictures as it was planned (``finish_plan``): cropping, putting back, joining, cutting out."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final, assert_never, cast

from atelier_mcp.server.images.color_names import WHITE
from atelier_mcp.server.images.decode_with_notes import decode_with_notes
from atelier_mcp.server.images.encode import encode_image
from atelier_mcp.server.images.finish_plan import CUT_OUT_LABEL, MASK_LABEL, CutOut, Join, Patch, Reframe
from atelier_mcp.server.images.masks import read_mask
from atelier_mcp.server.images.pixels import fill_behind
from atelier_mcp.server.images.probe import probe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL.Image import Image

    from atelier_mcp.server.images.finish_plan import Box, Finish, Size

_MARK_CORNER: Final = (0.5, 0.75)
"""From this share of width and height on, in the lower right corner, a service's visible mark is looked for."""
_MARK_DIFFERENCE: Final = 26
"""Grey levels by which a mark stands out from the source; what JPEG and scaling change is less."""
_MARK_MARGIN_PX: Final = 4
_JPEG_QUALITY: Final = 95
_WHITE_GROUND: Final = 250
_MID_GREY: Final = 128
_TWO_TONED_SHARE: Final = 0.98
_FEATHER_PX: Final = 3


@dataclass(frozen=True, slots=True)
class FinishedImage:
    """One picture of a finished job, not stored yet."""

    data: bytes
    label: str = ""
    """What it is, where a job has pictures of several kinds."""


def apply_finish(finish: Finish, outputs: Sequence[bytes], sources: Mapping[str, bytes]) -> list[FinishedImage]:
    """The pictures that come of a service's ``outputs``; ``sources`` holds the request's own pictures by place.

    A ``Join`` takes all pictures of a job, any other finish one. Raises ``ImageRefused`` for a damaged picture. Called
    in a worker.
    """
    match finish:
        case Reframe():
            return [FinishedImage(_reframe(finish, outputs[0], sources))]
        case CutOut():
            return _cut_out(finish, outputs[0], sources)
        case Join():
            return [FinishedImage(_join(finish, outputs))]
        case Patch():
            return [FinishedImage(_patch(finish, outputs[0], sources))]
        case _:
            assert_never(finish)


def crop_tiles(data: bytes, boxes: Sequence[Box]) -> list[bytes]:
    """The parts of a picture, as JPEGs of the best quality."""
    image = fill_behind(_decode(data), WHITE)
    return [encode_image(image.crop(box), "jpg", quality=_JPEG_QUALITY) for box in boxes]


def _reframe(finish: Reframe, output: bytes, sources: Mapping[str, bytes]) -> bytes:
    image = _decode(output)
    source = sources.get(finish.source) if finish.source else None
    # Exactly what was asked for: the service's own bytes, not encoded anew.
    if image.size == finish.size and finish.region is None and source is None:
        return output
    result = _crop_to_region(image, finish)
    if source is not None:
        _put_back(_decode(source), result, finish.at)
    return _encode_like(result, output)


def _crop_to_region(image: Image, finish: Reframe) -> Image:
    from PIL.Image import Resampling

    canvas = finish.canvas or image.size
    left, top, right, bottom = finish.region or (
        _find_middle(canvas, finish.size) if finish.keeps_ratio else (0, 0, *canvas)
    )
    across, down = image.width / canvas[0], image.height / canvas[1]
    # By rounding alone an edge may lie a hair beyond the picture, which ``resize`` refuses.
    box = (left * across, top * down, min(right * across, image.width), min(bottom * down, image.height))
    whole = tuple(round(edge) for edge in box)
    # A box of whole pixels in the right size is cut out, so that no pixel changes.
    if all(abs(edge - near) < 1e-6 for edge, near in zip(box, whole, strict=True)) and finish.size == (
        whole[2] - whole[0],
        whole[3] - whole[1],
    ):
        return image.crop(cast("Box", whole))
    return image.resize(finish.size, Resampling.LANCZOS, box=box)


def _find_middle(canvas: Size, size: Size) -> tuple[float, float, float, float]:
    """The largest part of a canvas, in its middle, that has the ratio of ``size``."""
    scale = min(canvas[0] / size[0], canvas[1] / size[1])
    left, top = (canvas[0] - size[0] * scale) / 2, (canvas[1] - size[1] * scale) / 2
    return left, top, canvas[0] - left, canvas[1] - top


def _put_back(source: Image, result: Image, at: tuple[int, int]) -> None:
    """The source in its place, pixel for pixel, but for a visible mark over it, which the service must put on."""
    from PIL import Image, ImageChops

    cover = Image.new("L", source.size, 255)
    if mark := _find_mark(source, result, at):
        cover.paste(0, mark)
    if source.mode == "RGBA":
        cover = ImageChops.multiply(cover, source.getchannel("A"))
    result.paste(source.convert(result.mode), at, cover)


def _find_mark(source: Image, result: Image, at: tuple[int, int]) -> Box | None:
    """Where on the source a mark lies in the lower right corner of the result, in pixels of the source."""
    from PIL import ImageChops, ImageFilter

    x, y = at
    left = max(round(result.width * _MARK_CORNER[0]), x) - x
    top = max(round(result.height * _MARK_CORNER[1]), y) - y
    if left >= source.width or top >= source.height:
        return None
    corner = source.convert("RGB").crop((left, top, source.width, source.height))
    delivered = result.convert("RGB").crop((x + left, y + top, x + source.width, y + source.height))
    # Blurred a little: single pixels that JPEG changed are no mark.
    difference = ImageChops.difference(corner, delivered).convert("L").filter(ImageFilter.BoxBlur(1))
    found = difference.point([255 * (value > _MARK_DIFFERENCE) for value in range(256)]).getbbox()
    if found is None:
        return None
    return (
        max(0, left + found[0] - _MARK_MARGIN_PX),
        max(0, top + found[1] - _MARK_MARGIN_PX),
        min(source.width, left + found[2] + _MARK_MARGIN_PX),
        min(source.height, top + found[3] + _MARK_MARGIN_PX),
    )


def _cut_out(finish: CutOut, output: bytes, sources: Mapping[str, bytes]) -> list[FinishedImage]:
    from PIL import ImageChops
    from PIL.Image import Resampling

    source = _decode(sources[finish.source])
    subject = _read_subject(_decode(output)).resize(source.size, Resampling.BICUBIC)
    if finish.outline is not None and finish.outline in sources:
        outline = _decode(sources[finish.outline]).convert("L").resize(source.size)
        # The outline is black on what was marked, ``subject`` is bright on the subject.
        subject = ImageChops.darker(subject, ImageChops.invert(outline))
    mask = subject.point([0 if value >= _MID_GREY else 255 for value in range(256)])
    if source.mode == "RGBA":
        subject = ImageChops.multiply(subject, source.getchannel("A"))
    source.putalpha(subject)
    return [
        FinishedImage(encode_image(source, "png"), CUT_OUT_LABEL),
        FinishedImage(encode_image(mask, "png"), MASK_LABEL),
    ]


def _read_subject(image: Image) -> Image:
    """How much of each pixel is the subject, in whichever way a service says it (contract: erase.cutout.result,
    split.imgen.output): by transparency, in black on white, or on a white ground."""
    from PIL import ImageChops, ImageFilter

    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] < 255:  # pyright: ignore[reportOperatorIssue]  # one band: two numbers
        return image.getchannel("A")
    grey = image.convert("L")
    histogram = grey.histogram()
    # Nearly all of it close to black or white: a mask. Its edge is hard and gets softened.
    if sum(histogram[:32]) + sum(histogram[224:]) >= _TWO_TONED_SHARE * grey.width * grey.height:
        return ImageChops.invert(grey).filter(ImageFilter.GaussianBlur(0.7))
    return grey.point([255 * (value < _WHITE_GROUND) for value in range(256)])


def _patch(finish: Patch, output: bytes, sources: Mapping[str, bytes]) -> bytes:
    from PIL import ImageChops, ImageFilter
    from PIL.Image import Resampling

    source, drawn = _decode(sources[finish.source]), _decode(output)
    if drawn.size != source.size:
        drawn = drawn.resize(source.size, Resampling.LANCZOS)
    area = ImageChops.invert(read_mask(sources[finish.mask]).resize(source.size))
    # Soft inside the mask only: a pixel beyond it is the source's to the last bit.
    weight = ImageChops.darker(area.filter(ImageFilter.GaussianBlur(_FEATHER_PX)), area)
    mode = "RGBA" if "RGBA" in (source.mode, drawn.mode) else "RGB"
    result = source.convert(mode)
    result.paste(drawn.convert(mode), (0, 0), weight)
    return _encode_like(result, output)


def _join(finish: Join, outputs: Sequence[bytes]) -> bytes:
    from PIL import Image

    canvas = Image.new("RGB", finish.size)
    for box, output in zip(finish.boxes, outputs, strict=True):
        tile = _decode(output).convert("RGB")
        size = box[2] - box[0], box[3] - box[1]
        tile = tile if tile.size == size else tile.resize(size, Image.Resampling.LANCZOS)
        canvas.paste(tile, box[:2], _create_fade(finish, box))
    return _encode_like(canvas, outputs[0])


def _create_fade(finish: Join, box: Box) -> Image:
    """A tile's weight: it fades in over what its left and upper neighbours have laid there already."""
    from PIL import Image, ImageChops

    size = box[2] - box[0], box[3] - box[1]
    weight = Image.new("L", size, 255)
    overlap_px = _compute_fade_px(finish, box)
    # A tile at the edge has nothing to fade in over.
    if box[0] and overlap_px:
        # Pillow's gradient grows from top to bottom; turned, from left to right.
        ramp = Image.linear_gradient("L").rotate(90).resize((overlap_px, size[1]))
        across = Image.new("L", size, 255)
        across.paste(ramp, (0, 0))
        weight = ImageChops.multiply(weight, across)
    if box[1] and overlap_px:
        ramp = Image.linear_gradient("L").resize((size[0], overlap_px))
        down = Image.new("L", size, 255)
        down.paste(ramp, (0, 0))
        weight = ImageChops.multiply(weight, down)
    return weight


def _compute_fade_px(finish: Join, box: Box) -> int:
    """Short, so that a tile covers its neighbour's mark; never longer than what the neighbours overlap."""
    overlaps = [
        overlap
        for other in finish.boxes
        for overlap in (other[2] - box[0], other[3] - box[1])
        if other != box and overlap > 0 and (other[0] < box[0] or other[1] < box[1])
    ]
    return min([64, *overlaps])


def _decode(data: bytes) -> Image:
    return decode_with_notes(data, probe(data))[0]


def _encode_like(image: Image, original: bytes) -> bytes:
    """The picture in the format of the service's file, with what that says of its making."""
    from PIL.JpegImagePlugin import JpegImageFile

    header = probe(original)
    if header.format != "JPEG":
        return encode_image(image, "webp" if header.format == "WEBP" else "png", quality=_JPEG_QUALITY)
    # Read by the decoder itself: for pixels, whatever is not one of them is left out of the file first.
    with JpegImageFile(BytesIO(original)) as image_file:
        labels = {name: image_file.info[name] for name in ("exif", "xmp") if image_file.info.get(name)}
    if header.is_rotated or header.is_ambiguous:  # the pixels are upright now
        labels.clear()
    stream = BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0, **labels)
    return stream.getvalue()
