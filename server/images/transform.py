"""One picture cropped, turned, resized or written in another format; the steps run in this order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.byte_limit import BYTES_PER_KB, encode_within
from atelier_mcp.server.images.color_names import TRANSPARENT, WHITE
from atelier_mcp.server.images.decode_with_notes import decode_with_notes
from atelier_mcp.server.images.encode import check_result_size, choose_format, encode_image
from atelier_mcp.server.images.outline import draw_outline
from atelier_mcp.server.images.pixels import fill_behind, is_transparent
from atelier_mcp.server.images.placement import fit_over, fit_within, place
from atelier_mcp.server.images.resample import resize_image
from atelier_mcp.server.images.tone_adjustment import adjust_tones
from atelier_mcp.server.images.transformation import choose_box

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.color_names import Color
    from atelier_mcp.server.images.encode import FileFormat
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.images.transformation import Transformation

HALF_TURN: Final = 180


def transform(data: bytes, header: ImageHeader, transformation: Transformation) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of the new picture and what was done, for a reader.

    Raises ``ImageRefused`` for a damaged picture, ``InvalidRequest`` for a crop outside of it, for a result past 100
    megapixels and for one that cannot be kept below ``max_bytes``. Decodes: called in a worker.
    """
    image, notes = decode_with_notes(data, header)
    work = _Work(image, list(notes))
    work.crop(transformation)
    work.turn(transformation)
    work.adjust(transformation)
    work.blur(transformation)
    work.resize(transformation)
    work.outline(transformation)
    work.flatten(transformation)
    return work.encode(transformation, header), tuple(work.done)


class _Work:
    """A picture between steps, with what was done to it."""

    def __init__(self, image: Image, done: list[str]) -> None:
        self.image = image
        self.done = done
        self._was_transparent = is_transparent(image)

    def crop(self, transformation: Transformation) -> None:
        if transformation.crop is None:
            return
        x, y, width, height = transformation.crop
        box = max(x, 0), max(y, 0), min(x + width, self.image.width), min(y + height, self.image.height)
        if box[0] >= box[2] or box[1] >= box[3]:
            raise InvalidRequest(
                f"crop: {width}x{height} at {x},{y} lies outside the picture, {_format_size(self.image.size)}.",
                hint="crop is x, y, width, height in its pixels; view_image shows it.",
            )
        self.image = self.image.crop(box)
        ended = " (it reached beyond the picture)" * (self.image.size != (width, height))
        self.done.append(f"cropped to {self.image.width}x{self.image.height} at {box[0]},{box[1]}{ended}")

    def turn(self, transformation: Transformation) -> None:
        from PIL.Image import Resampling, Transpose

        angle = transformation.rotate % 360
        quarters = {90: Transpose.ROTATE_270, 180: Transpose.ROTATE_180, 270: Transpose.ROTATE_90}
        # Quarter turns only move pixels: none is mixed, and a picture turned four times is the same.
        if angle in quarters:
            self.image = self.image.transpose(quarters[int(angle)])
        elif angle:
            check_result_size(*_compute_turned_size(self.image.size, angle))
            # Transparent corners; a colour, where one is given, comes behind everything at the end.
            self.image = self.image.convert("RGBA").rotate(-angle, Resampling.BICUBIC, expand=True)
        if angle:
            self.done.append(f"turned {_format_turn(angle)}")
        if transformation.flip is not None:
            is_horizontal = transformation.flip == "horizontal"
            self.image = self.image.transpose(Transpose.FLIP_LEFT_RIGHT if is_horizontal else Transpose.FLIP_TOP_BOTTOM)
            self.done.append(f"flipped {'left to right' if is_horizontal else 'top to bottom'}")

    def adjust(self, transformation: Transformation) -> None:
        self.image, changes = adjust_tones(self.image, transformation)
        self.done += changes

    def blur(self, transformation: Transformation) -> None:
        if not transformation.blur:
            return
        from PIL.ImageFilter import GaussianBlur

        # With colours times opacity: what nobody sees must not bleed into what is seen.
        is_transparent_image = self.image.mode == "RGBA"
        image = self.image.convert("RGBa") if is_transparent_image else self.image
        blurred = image.filter(GaussianBlur(transformation.blur))
        self.image = blurred.convert("RGBA") if is_transparent_image else blurred
        self.done.append(f"blurred by {transformation.blur:g} pixels")

    def resize(self, transformation: Transformation) -> None:
        margin = 2 * transformation.outline_width
        if margin and (transformation.width or transformation.height):
            self._trim()
        box = choose_box(transformation, self.image.size, margin)
        if box is None:
            return
        if min(box) < 1:
            raise InvalidRequest(f"outline: no room is left inside of it, {margin // 2} pixels at each side.")
        check_result_size(box[0] + margin, box[1] + margin)
        # A box of the picture's ratio is filled whole, whatever the rounding of its other side.
        match "stretch" if transformation.keeps_ratio else transformation.fit:
            case "stretch":
                self._scale(box)
            case "contain":
                self._scale(fit_within(self.image.size, box))
            case "cover":
                self._scale(fit_over(self.image.size, box))
                self._cut_to(box)
            case "pad":
                self._scale(fit_within(self.image.size, box))
                self._pad(box)

    def outline(self, transformation: Transformation) -> None:
        width = transformation.outline_width
        if not width:
            return
        check_result_size(self.image.width + 2 * width, self.image.height + 2 * width)
        follows_shape = is_transparent(self.image)
        self.image = draw_outline(self.image, width, transformation.outline_color, follows_shape=follows_shape)
        self.done.append(
            f"outlined with {width} pixels of {_format_color(transformation.outline_color)} around "
            f"{'what is visible' if follows_shape else 'it'}, now {_format_size(self.image.size)}"
        )

    def flatten(self, transformation: Transformation) -> None:
        color, image_format = transformation.color, transformation.file_format
        if self.image.mode != "RGBA" or (color in (None, TRANSPARENT) and image_format != "jpg"):
            return
        had_transparency = is_transparent(self.image)
        ground = color if color and color[3] else WHITE
        self.image = fill_behind(self.image, ground)
        if had_transparency:
            name = "white, which JPEG needs" if ground is WHITE and color != WHITE else _format_color(ground)
            # What was added to an opaque picture, beside it or in its corners, is no transparency of its own.
            self.done.append(f"{'transparency ' * self._was_transparent}filled with {name}")

    def encode(self, transformation: Transformation, header: ImageHeader) -> bytes:
        has_transparency = is_transparent(self.image)
        if not has_transparency:
            self.image = self.image.convert("RGB")
        file_format = transformation.file_format or choose_format(header.format, has_transparency=has_transparency)
        if transformation.max_bytes is None:
            quality = f" at quality {transformation.quality}" * (file_format != "png")
            self.done.append(f"saved as {file_format}{quality}")
            return encode_image(self.image, file_format, quality=transformation.quality)
        return self._encode_within(transformation.max_bytes, file_format, transformation)

    def _encode_within(self, max_bytes: int, file_format: FileFormat, transformation: Transformation) -> bytes:
        encoded = encode_within(
            self.image,
            file_format,
            max_bytes=max_bytes,
            quality=transformation.quality,
            keeps_size=transformation.width is not None or transformation.height is not None,
        )
        if encoded.size != self.image.size:
            self.done.append(f"made smaller, from {_format_size(self.image.size)} to {_format_size(encoded.size)}")
        quality = f" at quality {encoded.quality}" * (file_format != "png")
        self.done.append(f"saved as {file_format}{quality}, in at most {max_bytes // BYTES_PER_KB:,} kB")
        return encoded.data

    def _scale(self, size: tuple[int, int]) -> None:
        if size != self.image.size:
            self.done.append(f"resized from {_format_size(self.image.size)} to {_format_size(size)}")
            self.image = resize_image(self.image, size)

    def _trim(self) -> None:
        """Take away what nobody sees around a cut-out: an outlined subject is to fill the size that it is given."""
        visible = self.image.getchannel("A").getbbox() if is_transparent(self.image) else None
        if visible is not None and visible != (0, 0, *self.image.size):
            self.image = self.image.crop(visible)
            self.done.append(f"trimmed to what is visible, {_format_size(self.image.size)}")

    def _cut_to(self, box: tuple[int, int]) -> None:
        if box == self.image.size:
            return
        left, top = ((a - b) // 2 for a, b in zip(self.image.size, box, strict=True))
        self.image = self.image.crop((left, top, left + box[0], top + box[1]))
        self.done.append(f"cropped to {_format_size(box)} in the middle")

    def _pad(self, box: tuple[int, int]) -> None:
        from PIL.Image import new

        if box == self.image.size:
            return
        self.done.append(f"padded to {_format_size(box)}")
        canvas = new("RGBA", box, TRANSPARENT)
        canvas.paste(self.image, place(self.image.size, box, "middle"))
        self.image = canvas


def _compute_turned_size(size: tuple[int, int], angle: float) -> tuple[int, int]:
    sine, cosine = abs(math.sin(math.radians(angle))), abs(math.cos(math.radians(angle)))
    return round(size[0] * cosine + size[1] * sine), round(size[0] * sine + size[1] * cosine)


def _format_turn(angle: float) -> str:
    """Degrees the shorter way round: 357 clockwise are 3 the other way."""
    return f"{angle:g} degrees clockwise" if angle <= HALF_TURN else f"{2 * HALF_TURN - angle:g} degrees anticlockwise"


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _format_color(color: Color) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in color[:3]) if color[3] else "transparency"
