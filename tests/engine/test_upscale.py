"""An enlarged picture is closer to the truth than a bicubic one, has no seams, no halos and the right size."""

from __future__ import annotations

import math
import tracemalloc
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.pixels import Pixels, compute_luminance, decode, resize
from atelier_mcp.server.engine.upscale import enlarge, upscale

if TYPE_CHECKING:
    from pathlib import Path

PHOTOS = ["astronaut.png", "chelsea.png", "coffee.png", "grace_hopper.jpg", "rocket.jpg"]


def load_photo(photos: Path, name: str) -> Pixels:
    return decode((photos / name).read_bytes())


def compute_psnr(one: Pixels, other: Pixels) -> float:
    """Peak signal to noise ratio in dB, six pixels of border left out."""
    error = one[6:-6, 6:-6].astype(float) - other[6:-6, 6:-6]
    return 10 * math.log10(255**2 / float((error**2).mean()))


def compute_gain_over_bicubic(original: Pixels, ratio: int) -> float:
    height, width = (side // ratio for side in original.shape[:2])
    original = original[: height * ratio, : width * ratio]
    small = cv2.resize(original, (width, height), interpolation=cv2.INTER_AREA)
    bicubic = cv2.resize(small, (width * ratio, height * ratio), interpolation=cv2.INTER_CUBIC)
    return compute_psnr(upscale(small, ratio), original) - compute_psnr(bicubic, original)


@pytest.mark.parametrize("ratio", [2, 3])
def test_a_photo_made_small_comes_back_closer_than_by_bicubic(photos: Path, ratio: int) -> None:
    gains = {name: compute_gain_over_bicubic(load_photo(photos, name), ratio) for name in PHOTOS}
    assert sum(gains.values()) / len(gains) > 0.2
    assert gains["astronaut.png"] > 0.4
    assert min(gains.values()) > -0.1


@pytest.mark.parametrize("factor", [2, 3])
def test_tiles_leave_no_seams(photos: Path, factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = load_photo(photos, "coffee.png")
    monkeypatch.setattr("atelier_mcp.server.engine.upscale.TILE", 10_000)
    whole = enlarge(image, factor)
    monkeypatch.setattr("atelier_mcp.server.engine.upscale.TILE", 100)
    tiled = enlarge(image, factor)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


@pytest.mark.parametrize("ratio", [1.01, 1.5, 2.0, 2.37, 3.0])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 50), (61, 43), (300, 257)])
def test_each_side_is_the_ratio_rounded(ratio: float, height: int, width: int) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)
    enlarged = upscale(noise, ratio)
    assert enlarged.shape == (max(1, round(height * ratio)), max(1, round(width * ratio)), 3)
    assert enlarged.dtype == np.uint8


@pytest.mark.parametrize("ratio", [1.0, 0.5, 3.01, 0.0, -2.0, math.nan, math.inf])
def test_a_ratio_out_of_range_is_refused_with_the_range(ratio: float) -> None:
    with pytest.raises(ValueError, match="above 1 and at most 3"):
        upscale(np.zeros((8, 8, 3), np.uint8), ratio)


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.0])
def test_an_edge_gets_no_halo(ratio: float) -> None:
    edge = np.full((60, 60, 3), 60, np.uint8)
    edge[:, 30:] = 200
    edge[20:40, 10:20] = 200
    enlarged = upscale(edge, ratio)
    assert enlarged.min() >= 57
    assert enlarged.max() <= 203


def test_an_edge_becomes_steeper_than_by_bicubic() -> None:
    rows, columns = np.indices((256, 256))
    sharp = np.where((columns - 128) + 0.4 * (rows - 128) > 0, 200, 60).astype(np.uint8)
    small = cv2.cvtColor(cv2.resize(sharp, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)

    def measure_steepness(image: Pixels) -> float:
        return float(np.abs(np.diff(compute_luminance(image), axis=1)).max())

    bicubic = cv2.resize(small, (192, 192), interpolation=cv2.INTER_CUBIC)
    assert measure_steepness(upscale(small, 3)) > 1.1 * measure_steepness(bicubic)


def test_a_flat_colour_stays_that_colour() -> None:
    flat = np.full((40, 40, 3), (200, 90, 40), np.uint8)
    assert np.abs(upscale(flat, 2.5).astype(int) - (200, 90, 40)).max() <= 2


def test_the_same_picture_gives_the_same_bytes(photos: Path) -> None:
    image = load_photo(photos, "rocket.jpg")
    assert np.array_equal(upscale(image, 1.7), upscale(image, 1.7))


def test_memory_grows_with_the_result_alone(photos: Path) -> None:
    """Four times the pixels cost the pixels: the work between has the size of a tile."""
    image = load_photo(photos, "astronaut.png")

    def measure_working_bytes(side: int) -> int:
        source = resize(image, side, side)
        tracemalloc.start()
        result = upscale(source, 2)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak - result.nbytes

    small, large = measure_working_bytes(512), measure_working_bytes(1024)
    assert large < 1.3 * small
    assert large < 100_000_000
