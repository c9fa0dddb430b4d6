"""What each of the engine's operations takes on a 960 px photo, in seconds and as a ratio to a fixed reference
workload.

A slow day slows the reference as well: the ratios compare from day to day, and nothing here fails.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from atelier_mcp.server.engine import cutout, erase, face_swap, faces, outpaint, paint, prompt, segment, upscale
from atelier_mcp.server.engine.pixels import decode, resize
from atelier_mcp.server.engine.style import STYLES, stylise
from tests.bench.figures import Figure, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.engine.pixels import Mask, Pixels

PHOTO_FOLDER = Path(__file__).parents[2] / "examples" / "photos"
SIDE_PX = 960
RUNS = 3


def load_photo(name: str) -> Pixels:
    """A photo with its longer side at 960 pixels."""
    image = decode((PHOTO_FOLDER / name).read_bytes())
    height, width = image.shape[:2]
    scale = SIDE_PX / max(height, width)
    return resize(image, round(width * scale), round(height * scale))


def draw_box_mask(image: Pixels, left: float, top: float, right: float, bottom: float) -> Mask:
    """A mask with a box in shares of the picture's sides."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    mask[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = 255
    return mask


def run_reference() -> None:
    """Work of a fixed size: blurs and a matrix product, as the engine's own are."""
    plane = np.random.default_rng(0).random((SIDE_PX, SIDE_PX), dtype=np.float32)
    for _ in range(8):
        plane = cv2.GaussianBlur(plane, (0, 0), 9)
    np.dot(plane, plane.T)


def measure_best_s(operation: Callable[[], object]) -> float:
    """The quickest of a few runs, in seconds."""
    durations_s: list[float] = []
    for _ in range(RUNS):
        started_s = time.perf_counter()
        operation()
        durations_s.append(time.perf_counter() - started_s)
    return min(durations_s)


def list_operations() -> list[tuple[str, float, Callable[[], object]]]:
    """Each operation with the seconds it may take on two quiet cores."""
    coffee, rocket = load_photo("coffee.png"), load_photo("rocket.jpg")
    astronaut, hopper = load_photo("astronaut.png"), load_photo("grace_hopper.jpg")
    launcher, cup = draw_box_mask(rocket, 0.46, 0.23, 0.55, 0.97), draw_box_mask(coffee, 0.12, 0.03, 0.82, 0.96)
    margin = SIDE_PX // 4
    storm = prompt.read_prompt("a lighthouse in a storm")
    return [
        ("paint a scene", 0.4, lambda: paint.paint(storm, seed=7, width=SIDE_PX, height=SIDE_PX)),
        ("erase", 1.5, lambda: erase.erase(rocket, launcher)),
        ("cut out", 0.6, lambda: cutout.cut_out(coffee, cup, kind="box")),
        ("segment", 0.6, lambda: segment.segment(coffee)),
        ("detect faces", 0.4, lambda: faces.detect_faces(astronaut)),
        ("swap faces", 1.0, lambda: face_swap.swap(hopper, [(0, astronaut, 0)])),
        ("upscale x2", 1.0, lambda: upscale.upscale(coffee, 2)),
        (
            "outpaint by a quarter",
            6.0,
            lambda: outpaint.outpaint(coffee, left=margin, top=margin, right=margin, bottom=margin),
        ),
        *((f"style {name}", 0.4, lambda name=name: stylise(coffee, name)) for name in STYLES),
    ]


def measure() -> None:
    """Report seconds and ratios."""
    cv2.setNumThreads(1)
    reference_s = measure_best_s(run_reference)
    report(Figure("engine at 960 px: the reference workload", reference_s * 1e3, "ms"))
    for name, target_s, operation in list_operations():
        seconds = measure_best_s(operation)
        report(
            Figure(f"engine at 960 px: {name} (wanted {target_s:g} s)", seconds, "s"),
            Figure(f"engine at 960 px: {name}, to the reference", seconds / reference_s, "x"),
        )


if __name__ == "__main__":
    measure()
