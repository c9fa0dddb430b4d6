"""Masks, read from pictures or drawn from shapes: black where to work, white elsewhere, at the picture's size.

Everything here decodes or encodes: it is called in a worker (``workers``).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused, InvalidRequest
from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.dilation import dilate, erode
from atelier_mcp.server.images.pixels import flatten_on_checkerboard
from atelier_mcp.server.images.probe import probe
from atelier_mcp.server.images.shapes import check_drawing_cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from atelier_mcp.server.images.shapes import MaskShape

WORK, KEEP, MID_GREY = 0, 255, 128
"""Grey values: black marks where to work, and grey levels are split in the middle (contract: shared.mask)."""
MAX_MARKED_SHARE = 0.98
"""A mask over nearly everything is almost always the inverse of what was meant."""
RATIO_TOLERANCE = 0.01
"""(contract: shared.mask)"""
UNLIKELY_SHARE = 0.5
"""Beyond it a mask may well be the inverse of what was meant."""
BLACK_LIMIT, WHITE_LIMIT = 20, 235
"""Every channel of black is at most, every channel of white at least that, as JPEG and video have them; between them
lie soft edges, or greys that somebody meant otherwise."""
MIN_CLEAR_SHARE = 0.9
MIN_CLEAR_SHARE_OF_SIDE = 0.5
"""Of what is marked, and of what is not: a grey area on white is no soft edge, however small."""
TINT = (226, 46, 82)
TINT_OPACITY = 150
LINE_PX = 3
"""Odd, as a filter wants it: what lies within half of it of the area becomes the line."""


def read_mask(mask: bytes) -> Image:
    """A caller's mask as ``L`` of ``WORK`` and ``KEEP``: its transparent area is the work area, else its black one.

    Raises ``ImageRefused`` for a damaged picture and for one that is neither transparent nor black and white.
    """
    image = _decode_image(mask)
    marks = _draw_marks(image)
    if not _is_two_toned(image.getchannel("A") if image.mode == "RGBA" else image, marks):
        fault = "half transparent" if image.mode == "RGBA" else "neither black and white nor transparent anywhere"
        raise ImageRefused(
            f"This picture is no mask: it is {fault}.",
            hint="Plain black, or a hole that lets all through, marks where to work. Draw one with make_mask, or give "
            "shapes.",
        )
    return marks


def normalize_mask(mask: bytes) -> bytes:
    """The mask as a service reads it: a PNG of black and white, without transparency; the same bytes if it is one.

    Raises ``ImageRefused`` as ``read_mask`` does.
    """
    header, plane = probe(mask), read_mask(mask)
    is_plain = header.format == "PNG" and not (header.has_alpha or header.is_rotated or header.colour_changes)
    # A mask with soft edges is no pure one and is drawn anew, in black and white alone.
    is_pure = is_plain and _decode_image(mask).convert("RGB").tobytes() == plane.convert("RGB").tobytes()
    return mask if is_pure else _encode_png(plane)


def format_marked_share(share: float, *, is_deliberate: bool) -> str:
    """How much a mask marks, for the reader, with a question where that is more than half and not ``is_deliberate``."""
    question = "" if is_deliberate or share <= UNLIKELY_SHARE else " Was the rest meant? Then say invert=true."
    # Two digits are enough; "g" alone would write a hundred as 1e+02.
    percent = float(f"{100 * share:.2g}")
    return f"{percent:g} % of the picture is marked.{question}"


def draw_mask(width: int, height: int, shapes: Sequence[MaskShape], *, base_mask: bytes | None = None) -> bytes:
    """A PNG mask of width x height pixels with the shapes in black, added to the mask ``base_mask`` if there is one.

    Raises ``InvalidRequest`` for a shape that lies outside the picture and for a start of another ratio, and
    ``ImageRefused`` for a start that is damaged.
    """
    from PIL import Image, ImageDraw

    # Shapes that only take away mean: everything but this.
    ground = WORK if shapes and all(shape.subtracts for shape in shapes) else KEEP
    mask = (
        Image.new("L", (width, height), ground)
        if base_mask is None
        else _resize_mask(read_mask(base_mask), width, height)
    )
    pen = ImageDraw.Draw(mask)
    for index, shape in enumerate(shapes):
        if min(shape.points[::2]) >= width or min(shape.points[1::2]) >= height:
            raise InvalidRequest(
                f"shapes[{index}]: it lies outside the picture, which is {width}x{height} pixels.",
                hint="Give pixels of the picture; view_image shows it.",
            )
        _draw_shape(pen, shape)
    return _encode_png(mask)


def to_portable_mask(mask: bytes) -> bytes:
    """The mask so that both kinds of reader agree: where to work it is white and transparent, elsewhere black.

    Some services redraw what is transparent, others what is bright. Raises ``ImageRefused`` as ``read_mask`` does.
    """
    from PIL import Image, ImageOps

    plane = read_mask(mask)
    bright = ImageOps.invert(plane)
    return _encode_png(Image.merge("RGBA", (bright, bright, bright, plane)))


def draw_checked_mask(
    width: int,
    height: int,
    shapes: Sequence[MaskShape],
    *,
    base_mask: bytes | None,
    growth: int,
    inverts: bool,
    is_deliberate: bool,
    where: str,
) -> bytes:
    """The mask of ``draw_mask``, wider by ``growth`` pixels or narrower, then turned round where ``inverts``.

    Raises as ``draw_mask`` and ``check_mask`` do.
    """
    check_drawing_cost(shapes, (width, height))
    mask = draw_mask(width, height, shapes, base_mask=base_mask)
    if growth:
        mask = _grow_mask(mask, growth)
        if growth < 0 and compute_marked_share(mask) == 0:
            raise InvalidRequest(
                f"grow: nothing is left of what was marked, {-growth} pixels narrower all round.",
                hint="Take fewer pixels away.",
            )
    if inverts:
        # Last, so that it turns round the base mask and the shapes together.
        mask = invert_mask(mask)
    check_mask(mask, where, is_deliberate=is_deliberate)
    return mask


def _grow_mask(mask: bytes, growth: int) -> bytes:
    from PIL import ImageOps

    marked = ImageOps.invert(read_mask(mask))
    grown = dilate(marked, growth) if growth > 0 else erode(marked, -growth)
    return _encode_png(_apply_threshold(ImageOps.invert(grown)))


def invert_mask(mask: bytes) -> bytes:
    """The same mask with work and keep exchanged."""
    from PIL import ImageOps

    return _encode_png(ImageOps.invert(read_mask(mask)))


def compute_marked_share(mask: bytes) -> float:
    """How much of the picture a mask marks, from 0 to 1. Raises ``ImageRefused`` as ``read_mask`` does."""
    plane = read_mask(mask)
    return plane.histogram()[WORK] / (plane.width * plane.height)


def check_mask(mask: bytes, where: str, *, is_deliberate: bool) -> None:
    """Pass a mask that marks something, and not everything; otherwise raise ``InvalidRequest``.

    Nor nearly everything, unless it ``is_deliberate``: the caller has said which way round it is meant. Raises
    ``ImageRefused`` as ``read_mask`` does.
    """
    marked_share = compute_marked_share(mask)
    if marked_share == 0:
        raise InvalidRequest(
            f"{where}: nothing is marked. Black, or a transparent hole, marks where to work.",
            hint="Draw one with make_mask, or give shapes.",
        )
    if marked_share == 1 or (marked_share > MAX_MARKED_SHARE and not is_deliberate):
        raise InvalidRequest(
            f"{where}: {marked_share:.0%} of the picture is marked; black is where to work.",
            hint="Leave some of it unmarked." if is_deliberate else "If the rest was meant, say invert=true.",
        )


def overlay_mask(image_data: bytes, mask: bytes, *, longest_px: int) -> Image:
    """The picture, no side longer than ``longest_px``, with the marked area in red and a white line round it.

    Raises ``ImageRefused`` for a damaged picture or mask.
    """
    from PIL import Image, ImageChops, ImageFilter

    base = flatten_on_checkerboard(_decode_image(image_data, longest_px=longest_px)).convert("RGB")
    base.thumbnail((longest_px, longest_px))
    # Scaling makes greys along the edge, hence the threshold once more.
    area = ImageChops.invert(_apply_threshold(_draw_marks(_decode_image(mask)).resize(base.size)))
    line = ImageChops.difference(area.filter(ImageFilter.MaxFilter(LINE_PX)), area)
    base.paste(Image.new("RGB", base.size, TINT), mask=area.point([0] * 255 + [TINT_OPACITY]))
    base.paste("white", mask=line)
    return base


def _draw_shape(pen: ImageDraw, shape: MaskShape) -> None:
    fill = KEEP if shape.subtracts else WORK
    points = list(zip(shape.points[::2], shape.points[1::2], strict=True))
    match shape.type:
        case "box":
            pen.rectangle([points[0], _to_inclusive_corner(points[1])], fill=fill)
        case "ellipse":
            pen.ellipse([points[0], _to_inclusive_corner(points[1])], fill=fill)
        case "polygon":
            pen.polygon(points, fill=fill)
        case "stroke":
            radius = shape.width / 2  # a line's own ends are cut off square; a brush leaves round ones
            pen.line(points, fill=fill, width=shape.width, joint="curve")
            for x, y in points:
                pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)


def _to_inclusive_corner(corner: tuple[int, int]) -> tuple[int, int]:
    """The last pixel of a box whose end is not part of it, as Pillow's boxes include theirs."""
    return corner[0] - 1, corner[1] - 1


def _draw_marks(image: Image) -> Image:
    """Black where a picture marks work, white elsewhere: its hole where it has one, else what is darker than mid-grey.

    Editors save the area to work on as a hole in the picture.
    """
    return _apply_threshold(image.getchannel("A") if image.mode == "RGBA" else image.convert("L"))


def _is_two_toned(image: Image, marks: Image) -> bool:
    """True when nearly all of a picture is plain black or white, and most of each side of ``marks`` is; edges may be
    soft.
    """
    from PIL import ImageChops

    red, *others = image.convert("RGB").split()
    darkest = brightest = red
    for band in others:
        darkest, brightest = ImageChops.darker(darkest, band), ImageChops.lighter(brightest, band)
    black_count = sum(brightest.histogram()[: BLACK_LIMIT + 1])
    white_count = sum(darkest.histogram()[WHITE_LIMIT:])
    histogram = marks.histogram()
    return (
        black_count + white_count >= MIN_CLEAR_SHARE * image.width * image.height
        and black_count >= MIN_CLEAR_SHARE_OF_SIDE * histogram[WORK]
        and white_count >= MIN_CLEAR_SHARE_OF_SIDE * histogram[KEEP]
    )


def _apply_threshold(grey: Image) -> Image:
    return grey.point([KEEP if value >= MID_GREY else WORK for value in range(256)])


def _resize_mask(mask: Image, width: int, height: int) -> Image:
    """The mask at the picture's size, which it may differ from in size and not in shape."""
    if abs(mask.width * height - width * mask.height) > RATIO_TOLERANCE * width * mask.height:
        raise InvalidRequest(
            f"mask: {mask.width}x{mask.height} pixels have not the shape of image, which is {width}x{height}.",
            hint="Give a mask of that picture.",
        )
    return _apply_threshold(mask.resize((width, height)))


def _decode_image(image_data: bytes, *, longest_px: int | None = None) -> Image:
    return decode_upright(image_data, longest_px=longest_px)


def _encode_png(mask: Image) -> bytes:
    out = io.BytesIO()
    mask.save(out, "PNG", compress_level=1)
    return out.getvalue()
