"""The engine's one picture type and the arithmetic every module of it shares.

A picture is RGB, ``uint8``, shape ``(height, width, 3)``; a cut-out is RGBA. Masks are ``uint8`` planes of shape
``(height, width)`` in which 255 marks the area to work on. The engine is deterministic: randomness comes only from
generators seeded by the caller.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.engine.tasks import FileFormat

Array: TypeAlias = NDArray[np.integer[Any] | np.floating[Any]]
Pixels: TypeAlias = Array
"""An RGB or RGBA picture, ``(height, width, 3 or 4)``."""
Mask: TypeAlias = Array
"""A plane of 0 and 255, ``(height, width)``; 255 marks the area to work on."""
Plane: TypeAlias = Array
"""A plane of floats, ``(height, width)``, mostly in [0, 1]."""
Colours: TypeAlias = Array
"""Floats in [0, 1] with a last axis of three: red, green, blue."""

JPEG_QUALITY: Final = 92


def decode(data: bytes) -> Pixels:
    """RGB pixels of an encoded picture, upright by its EXIF, transparency laid on white."""
    with Image.open(io.BytesIO(data)) as source:
        upright = ImageOps.exif_transpose(source)
        if upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info:
            ground = Image.new("RGBA", upright.size, "white")
            ground.alpha_composite(upright.convert("RGBA"))
            upright = ground
        return np.asarray(upright.convert("RGB"))


def encode(pixels: Pixels, file_format: FileFormat) -> bytes:
    """The picture as JPEG or PNG bytes; a JPEG has no alpha, so it is laid on white first."""
    image = Image.fromarray(pixels)
    out = io.BytesIO()
    if file_format == "PNG":
        image.save(out, "PNG", compress_level=1)
        return out.getvalue()
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        image = ground.convert("RGB")
    image.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def make_rng(*parts: object) -> np.random.Generator:
    """A random generator that depends on the parts alone, the same in every process."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def resize(image: Array, width: int, height: int) -> Array:
    """The picture at another size: area average when it shrinks, bicubic when it grows."""
    shrinks = width * height < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def scale_to_cover(image: Pixels, width: int, height: int) -> Pixels:
    """The picture scaled and centre-cropped to fill exactly width x height."""
    h, w = image.shape[:2]
    scale = max(width / w, height / h)
    grown = resize(image, max(width, round(w * scale)), max(height, round(h * scale)))
    top, left = (grown.shape[0] - height) // 2, (grown.shape[1] - width) // 2
    return np.ascontiguousarray(grown[top : top + height, left : left + width])


def apply_at_working_size(image: Pixels, longest: int, function: Callable[[Pixels], Pixels]) -> Pixels:
    """``function`` run at no more than ``longest`` pixels a side, its result brought back to the full size."""
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
    """Grey values in [0, 1]."""
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
    """Fractal value noise in [0, 1]; ``cell`` is the largest feature in pixels, ``stretch`` widens it."""
    total = np.zeros((height, width), np.float32)
    weight, weights = 1.0, 0.0
    for octave in range(octaves):
        size = max(2.0, cell / 2**octave)
        grid = rng.random((int(height / size) + 4, int(width / (size * stretch)) + 4), dtype=np.float32)
        total += np.float32(weight) * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        weights += weight
        weight *= persistence
    return total / np.float32(weights)


def clean_mask(image: Pixels, mask: Mask) -> Mask:
    """The mask as a clean plane of 0 and 255; raises ValueError if it is empty, covers all or has another size."""
    height, width = image.shape[:2]
    if mask.shape != (height, width):
        mask_size = "x".join(str(side) for side in mask.shape[1::-1])
        raise ValueError(f"the mask is {mask_size} but the picture is {width}x{height}")
    area = ((mask > 127) * 255).astype(np.uint8)
    covered = cv2.countNonZero(area)
    if covered == 0:
        raise ValueError("the mask is empty: mark the area to work on")
    if covered == area.size:
        raise ValueError("the mask covers the whole picture: leave some of it unmarked")
    return area


def blend(ground: Pixels, top: Pixels, weight: Plane) -> Pixels:
    """``top`` laid over ``ground`` by a weight in [0, 1]; where it is 0 the ground stands bit for bit."""
    out = ground.copy()
    rows = 512
    for start in range(0, ground.shape[0], rows):  # strips keep the floats of a 36-megapixel picture small
        strip = slice(start, start + rows)
        share = weight[strip, :, None]
        out[strip] = (top[strip] * share + ground[strip] * (1 - share) + np.float32(0.5)).astype(np.uint8)
    return out
