"""The engine's one image type and the arithmetic every module of it shares.

An image is RGB, ``uint8``, shape ``(height, width, 3)``; a cut-out is RGBA with straight (not premultiplied) alpha.
Masks are ``uint8`` planes of shape ``(height, width)`` in which 255 marks the area to work on. Note the two orders:
arrays are ``(height, width)``, OpenCV's size arguments ``(width, height)``; and OpenCV's own readers and writers use
BGR, so nothing here calls them and every colour conversion names ``RGB``.

The engine is deterministic: randomness comes only from generators seeded by the caller. Arithmetic is in ``float32``
throughout; NumPy scalars are wrapped as ``np.float32(x)`` where a plain float would promote a plane to ``float64``,
which costs twice the memory and rounds differently.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.pixels import flatten_on_white

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.engine.tasks import FileFormat

Array: TypeAlias = NDArray[np.integer[Any] | np.floating[Any]]
Pixels: TypeAlias = Array
"""An RGB or RGBA image, ``uint8``, ``(height, width, 3 or 4)``."""
Mask: TypeAlias = Array
"""A plane of 0 and 255, ``uint8``, ``(height, width)``; 255 marks the area to work on."""
Plane: TypeAlias = Array
"""A plane of ``float32``, ``(height, width)``, in [0, 1] unless said otherwise."""
Colours: TypeAlias = Array
"""``float32`` in [0, 1] with a last axis of three: red, green, blue."""

JPEG_QUALITY: Final = 92


def decode(data: bytes) -> Pixels:
    """RGB pixels of an encoded image, upright, in sRGB, transparency laid on white.

    Raises:
        OSError: the bytes are no image that can be read, or are cut off.
    """
    return np.asarray(flatten_on_white(_decode_upright(data)).convert("RGB"))


def decode_with_alpha(data: bytes) -> tuple[Pixels, Plane | None]:
    """RGB pixels of an encoded image, upright, in sRGB, and its alpha in [0, 1]; None where it is opaque.

    What cannot be seen has the mean colour of what can, and not the colour that happens to be stored there: neither a
    palette nor a blur across the edge may know it.

    Raises:
        OSError: the bytes are no image that can be read, or are cut off.
    """
    upright = _decode_upright(data)
    if upright.mode != "RGBA":
        return np.asarray(upright.convert("RGB")), None
    pixels = np.asarray(upright)
    alpha = pixels[..., 3].astype(np.float32) / np.float32(255)
    colours = pixels[..., :3].copy()
    hidden = pixels[..., 3] == 0
    if not hidden.any() and float(alpha.min()) == 1:
        return colours, None
    colours[hidden] = 255 if hidden.all() else colours[~hidden].mean(axis=0).astype(np.uint8)
    return colours, alpha


def _decode_upright(data: bytes) -> Image.Image:
    # Not `cv2.imdecode`: it decides anew how an image lies and what its tones are.
    try:
        return decode_upright(data)
    except ImageRefused as err:
        raise OSError(err.message) from err


def encode(pixels: Pixels, file_format: FileFormat) -> bytes:
    """The image as JPEG or PNG bytes; a JPEG has no alpha, so it is laid on white first."""
    image = Image.fromarray(pixels)
    out = io.BytesIO()
    if file_format == "PNG":
        # 960 x 960 takes 68 ms at level 1 and 230 ms at the default, for a file that never leaves the machine.
        image.save(out, "PNG", compress_level=1)
        return out.getvalue()
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        image = ground.convert("RGB")
    image.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def make_rng(*parts: object) -> np.random.Generator:
    """A random generator that depends on the parts alone, the same in every process.

    Parts are told apart by their text, so ``1`` and ``"1"`` are the same seed.
    """
    # Not `hash`: Python salts it per process. Not a sum of seeds: neighbouring seeds would share their streams.
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def resize(image: Array, width: int, height: int) -> Array:
    """The image at another size in pixels: area average when it shrinks, bicubic when it grows.

    Keeps dtype and channels. Bicubic overshoots: a float plane can leave its range by a little, bytes are clipped.
    """
    # Bicubic would skip pixels when it shrinks by more than two, and area average is blocky when it grows.
    shrinks = width * height < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def scale_to_cover(image: Pixels, width: int, height: int) -> Pixels:
    """The image scaled and centre-cropped to fill exactly width x height."""
    h, w = image.shape[:2]
    scale = max(width / w, height / h)
    # Rounding must not make a side too short by one: the crop below would then have the wrong size.
    grown = resize(image, max(width, round(w * scale)), max(height, round(h * scale)))
    top, left = (grown.shape[0] - height) // 2, (grown.shape[1] - width) // 2
    return np.ascontiguousarray(grown[top : top + height, left : left + width])


def apply_at_working_size(image: Pixels, longest: int, function: Callable[[Pixels], Pixels]) -> Pixels:
    """``function`` run at no more than ``longest`` pixels a side, its result brought back to the full size.

    For smoothing filters, whose result has no detail that enlarging could lose: the cost of an oil filter at 2048
    pixels is five times that at 960.
    """
    h, w = image.shape[:2]
    scale = min(1.0, longest / max(h, w))
    if scale == 1.0:
        return function(image)
    small = resize(image, max(1, round(w * scale)), max(1, round(h * scale)))
    return cv2.resize(function(small), (w, h), interpolation=cv2.INTER_CUBIC)


def to_float(image: Pixels) -> Colours:
    """Floats in [0, 1]."""
    return image.astype(np.float32) / np.float32(255)


def to_bytes(colours: Array) -> Pixels:
    """Rounded ``uint8`` of floats in [0, 1], clipped."""
    return (np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8)


def compute_luminance(image: Pixels) -> Plane:
    """Grey values in [0, 1] of an RGB ``uint8`` image, by the weights of Rec. 601."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)


def make_cloud_noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    cell: float,
    *,
    octaves: int = 4,
    stretch: float = 1.0,
    persistence: float = 0.5,
) -> Plane:
    """Fractal value noise (fBm) in [0, 1], ``(height, width)``; the many-octave noise Perlin's is often taken for.

    ``cell`` is the size of the largest feature in pixels, ``stretch`` how much wider than tall features are,
    ``persistence`` the weight of each octave relative to the one before, which is twice as coarse.
    """
    total = np.zeros((height, width), np.float32)
    weight, weights = 1.0, 0.0
    for octave in range(octaves):
        size = max(2.0, cell / 2**octave)
        # Four cells more than fit, so that the cubic enlargement is never short of neighbours.
        grid = rng.random((int(height / size) + 4, int(width / (size * stretch)) + 4), dtype=np.float32)
        total += np.float32(weight) * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        weights += weight
        weight *= persistence
    return total / np.float32(weights)


def clean_mask(image: Pixels, mask: Mask) -> Mask:
    """The mask as a clean plane of 0 and 255.

    Raises:
        ValueError: it is empty, covers all or has another size than the image.
    """
    height, width = image.shape[:2]
    if mask.shape != (height, width):
        mask_size = "x".join(str(side) for side in mask.shape[1::-1])
        raise ValueError(f"the mask is {mask_size} but the picture is {width}x{height}")
    # A mask that went through JPEG or was scaled has greys at its edge; half grey is the border.
    area = ((mask > 127) * 255).astype(np.uint8)
    covered = cv2.countNonZero(area)
    if covered == 0:
        raise ValueError("the mask is empty: mark the area to work on")
    # With nothing left to copy from, the patch search returns something meaningless instead of an error.
    if covered == area.size:
        raise ValueError("the mask covers the whole picture: leave some of it unmarked")
    return area


def blend(ground: Pixels, top: Pixels, weight: Plane) -> Pixels:
    """``top`` laid over ``ground``, both RGB ``uint8``, by a weight in [0, 1]; where that is 0, the ground stays."""
    out = ground.copy()
    rows = 512
    for start in range(0, ground.shape[0], rows):  # strips keep the floats of a 36-megapixel picture small
        strip = slice(start, start + rows)
        share = weight[strip, :, None]
        out[strip] = (top[strip] * share + ground[strip] * (1 - share) + np.float32(0.5)).astype(np.uint8)
    return out
