"""One picture cropped, turned, resized or written in another format; the steps run in this order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.color_names import TRANSPARENT, WHITE
from atelier_mcp.server.images.decode_with_notes import decode_with_notes
from atelier_mcp.server.images.encode import DEFAULT_QUALITY, check_result_size, choose_format, encode_image
from atelier_mcp.server.images.placement import fit_over, fit_within, place

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.images.color_names import Color
    from atelier_mcp.server.images.encode import FileFormat
    from atelier_mcp.server.images.probe import ImageHeader

Fit: TypeAlias = Literal["contain", "cover", "pad", "stretch"]

OPAQUE: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """What is done to a picture; whatever is None or neutral is left out. Lengths in pixels."""

    crop: tuple[int, int, int, int] | None = None
    """x, y, width, height in the upright picture."""
    rotate: float = 0
    """Degrees clockwise."""
    flip: Literal["horizontal", "vertical"] | None = None
    width: int | None = None
    height: int | None = None
    ratio: float | None = None
    """Width by height of the result."""
    fit: Fit = "contain"
    color: Color | None = None
    """Behind and around the picture; None: transparent around it, and its own transparency stays."""
    file_format: FileFormat | None = None
    quality: int = DEFAULT_QUALITY


def transform(data: bytes, header: ImageHeader, transformation: Transformation) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of the new picture and what was done, for a reader.

    Raises ``ImageRefused`` for a damaged picture, ``InvalidRequest`` for a crop outside of it and for a result past
    100 megapixels. Decodes: called in a worker.
    """
    image, notes = decode_with_notes(data, header)
    work = _Work(image, list(notes))
    work.crop(transformation)
    work.turn(transformation)
    work.resize(transformation)
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
            self.done.append(f"turned {angle:g} degrees clockwise")
        if transformation.flip is not None:
            is_horizontal = transformation.flip == "horizontal"
            self.image = self.image.transpose(Transpose.FLIP_LEFT_RIGHT if is_horizontal else Transpose.FLIP_TOP_BOTTOM)
            self.done.append(f"flipped {'left to right' if is_horizontal else 'top to bottom'}")

    def resize(self, transformation: Transformation) -> None:
        box = _choose_box(transformation, self.image.size)
        if box is None:
            return
        check_result_size(*box)
        old_size = self.image.size
        match transformation.fit:
            case "stretch":
                self._scale(box)
            case "contain":
                self._scale(fit_within(old_size, box))
            case "cover":
                self._scale(fit_over(old_size, box))
                left, top = ((a - b) // 2 for a, b in zip(self.image.size, box, strict=True))
                self.image = self.image.crop((left, top, left + box[0], top + box[1]))
            case "pad":
                self._scale(fit_within(old_size, box))
                self._pad(box)
        if self.image.size != old_size:
            action = {"cover": "cropped", "pad": "padded"}.get(transformation.fit, "resized")
            self.done.append(f"{action} from {_format_size(old_size)} to {_format_size(self.image.size)}")

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
        quality = f" at quality {transformation.quality}" * (file_format != "png")
        self.done.append(f"saved as {file_format}{quality}")
        return encode_image(self.image, file_format, quality=transformation.quality)

    def _scale(self, size: tuple[int, int]) -> None:
        self.image = resize_image(self.image, size)

    def _pad(self, box: tuple[int, int]) -> None:
        from PIL.Image import new

        canvas = new("RGBA", box, TRANSPARENT)
        canvas.paste(self.image, place(self.image.size, box, "middle"))
        self.image = canvas


def is_transparent(image: Image) -> bool:
    """True when something of the picture can be seen through."""
    return image.mode == "RGBA" and image.getchannel("A").getextrema()[0] != OPAQUE


def resize_image(image: Image, size: tuple[int, int]) -> Image:
    """The picture at another size; transparent pixels lend no colour to their neighbours."""
    from PIL.Image import Resampling

    if image.size == size:
        return image
    if image.mode != "RGBA":
        return image.resize(size, Resampling.LANCZOS)
    return image.convert("RGBa").resize(size, Resampling.LANCZOS).convert("RGBA")


def fill_behind(image: Image, color: Color) -> Image:
    """The picture with a colour behind it."""
    from PIL.Image import alpha_composite, new

    return alpha_composite(new("RGBA", image.size, color), image.convert("RGBA"))


def _choose_box(transformation: Transformation, size: tuple[int, int]) -> tuple[int, int] | None:
    """The box to fit into: the given sides, the missing one by the ratio, or the ratio around or inside the picture."""
    width, height, ratio = transformation.width, transformation.height, transformation.ratio
    if width is None and height is None:
        if ratio is None:
            return None
        grows = transformation.fit in ("pad", "stretch")
        is_too_wide = size[0] / size[1] > ratio
        keeps_width = is_too_wide if grows else not is_too_wide
        return (size[0], max(1, round(size[0] / ratio))) if keeps_width else (max(1, round(size[1] * ratio)), size[1])
    ratio = ratio or size[0] / size[1]
    return width or max(1, round((height or 1) * ratio)), height or max(1, round((width or 1) / ratio))


def _compute_turned_size(size: tuple[int, int], angle: float) -> tuple[int, int]:
    sine, cosine = abs(math.sin(math.radians(angle))), abs(math.cos(math.radians(angle)))
    return round(size[0] * cosine + size[1] * sine), round(size[0] * sine + size[1] * cosine)


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _format_color(color: Color) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in color[:3])
