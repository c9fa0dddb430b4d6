"""Giving the result of an edit the transparency of its source, which was laid on white for the service.

Where the service drew something onto what can be seen through, a mark of its own for example, that stays visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.masks import read_mask

if TYPE_CHECKING:
    from PIL.Image import Image

RATIO_TOLERANCE = 0.01
_NOISE = 24
"""Steps of 255: what a lossy format may make of white."""


@dataclass(frozen=True, slots=True)
class TransparentEdit:
    """An edit that leaves the picture's shape as it is, of a picture that may be transparent."""

    image: str
    """The source's handle."""
    mask: str | None = None
    """The handle of the mask of the area that was drawn anew or emptied."""
    is_erasure: bool = False
    """True: what is around the area goes on in it. False: all of it is opaque."""


def restore_transparency(result: bytes, source: bytes, *, mask: bytes | None, is_erasure: bool) -> bytes:
    """The result as a PNG with the transparency of the source; its own bytes where there is none to restore.

    That is so for an opaque source, a result that has transparency itself, and one of another shape. ``mask`` marks
    what was drawn anew, as in ``TransparentEdit``. Raises ``ImageRefused`` for a damaged picture.
    """
    image, original = decode_upright(result), decode_upright(source)
    if original.mode != "RGBA" or image.mode == "RGBA" or not _have_same_shape(image, original):
        return result
    alpha = original.getchannel("A")
    if mask is not None:
        area = read_mask(mask).point([255 - value for value in range(256)]).resize(alpha.size)
        alpha = _fill_from_around(alpha, area) if is_erasure else _make_opaque(alpha, area)
    alpha = alpha.resize(image.size)
    colours = image.convert("RGB")
    return _encode(colours, _keep_what_was_drawn(colours, alpha))


def _have_same_shape(one: Image, other: Image) -> bool:
    return abs(one.width * other.height - other.width * one.height) <= RATIO_TOLERANCE * other.width * one.height


def _make_opaque(alpha: Image, area: Image) -> Image:
    from PIL import ImageChops

    return ImageChops.lighter(alpha, area)


def _fill_from_around(alpha: Image, area: Image) -> Image:
    """The opacity with the area (255) filled from its surroundings: from a smaller copy that knows nothing of it."""
    from PIL import Image as PillowImage
    from PIL.Image import Resampling

    known = area.point([255 - value for value in range(256)])
    # Ends when nothing is unknown any more, at the latest with a single pixel.
    if known.getextrema()[0] == 255 or max(alpha.size) == 1:
        return alpha
    size = (alpha.width + 1) // 2, (alpha.height + 1) // 2
    # As a transparency, ``known`` keeps what is unknown from being averaged into the smaller copy.
    small = PillowImage.merge("LA", (alpha, known)).resize(size, Resampling.BOX)
    unknown = small.getchannel("A").point([255 if value == 0 else 0 for value in range(256)])
    filled = _fill_from_around(small.getchannel("L"), unknown)
    return PillowImage.composite(alpha, filled.resize(alpha.size, Resampling.BILINEAR), known)


def _keep_what_was_drawn(colours: Image, alpha: Image) -> Image:
    """The opacity, and more of it where the colours are darker than anything so transparent can be on white."""
    from PIL import Image as PillowImage
    from PIL import ImageChops

    red, green, blue = colours.split()
    visible = ImageChops.invert(ImageChops.darker(ImageChops.darker(red, green), blue))
    excess = ImageChops.subtract(visible, alpha)
    return PillowImage.composite(visible, alpha, excess.point([255 if value > _NOISE else 0 for value in range(256)]))


def _encode(colours: Image, alpha: Image) -> bytes:
    from PIL.Image import merge

    stream = BytesIO()
    merge("RGBA", (*(_take_white_out(band, alpha) for band in colours.split()), alpha)).save(
        stream, "PNG", compress_level=1
    )
    return stream.getvalue()


def _take_white_out(band: Image, alpha: Image) -> Image:
    """The channel as it was before it was laid on white: where half can be seen through, half of it is white."""
    from PIL import ImageMath

    without_white: Any = ImageMath.lambda_eval(
        lambda names: (names["value"] - 255 + names["alpha"]) * 255 / names["max"](names["alpha"], 1),
        value=band,
        alpha=alpha,
    )
    return without_white.convert("L")
