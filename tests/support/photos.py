"""The example photographs as pixels, for the engine's tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import decode, resize

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Pixels

PHOTO_FOLDER: Final = Path(__file__).parents[2] / "examples" / "photos"
PHOTO_NAMES: Final = ("astronaut.png", "chelsea.png", "coffee.png", "grace_hopper.jpg", "rocket.jpg")


def read_photo(name: str) -> bytes:
    """The file's bytes."""
    return (PHOTO_FOLDER / name).read_bytes()


def load_photo(name: str, longest_px: int = 320) -> Pixels:
    """The photograph with its longer side at ``longest_px`` pixels."""
    image = decode(read_photo(name))
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    return resize(image, round(width * scale), round(height * scale))


def compute_distance(one: Pixels, other: Pixels) -> float:
    """The mean absolute difference of two pictures, in grey levels of 255."""
    return float(np.abs(one.astype(np.float32) - other.astype(np.float32)).mean())


def compute_mean_lab(image: Pixels) -> tuple[float, float, float]:
    """The mean lightness (0 to 100), green-to-red and blue-to-yellow of a picture."""
    lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab))
    lightness, red, yellow = (float(value) for value in lab.reshape(-1, 3).mean(axis=0))
    return lightness, red, yellow
