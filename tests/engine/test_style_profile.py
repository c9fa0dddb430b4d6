"""Style profiles: what was learnt shows, by weight."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.style import stylise
from atelier_mcp.server.engine.style_profile import apply, learn, read_profile
from tests.support.photos import compute_distance, compute_mean_lab, load_photo

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Pixels


def tint_photo(name: str, colour: tuple[int, int, int]) -> Pixels:
    """The photograph printed in one ink on white."""
    grey = cv2.cvtColor(load_photo(name), cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32) / 255
    return (np.array(colour, np.float32) * (1 - grey) + 255 * grey).astype(np.uint8)


BLUES = [tint_photo("rocket.jpg", (10, 30, 140)), tint_photo("chelsea.png", (0, 60, 180))]


def test_a_profile_of_blue_pictures_makes_a_picture_bluer():
    source = load_photo("coffee.png")
    assert compute_mean_lab(apply(source, learn(BLUES), weight=1))[2] < compute_mean_lab(source)[2] - 15


@pytest.mark.parametrize("name", ["coffee.png", "astronaut.png"])
def test_more_weight_departs_further(name: str):
    source = load_photo(name)
    profile = learn(BLUES)
    away = [compute_distance(source, apply(source, profile, weight=w)) for w in (0, 0.25, 0.5, 1.0, 1.5)]
    assert away[0] == 0
    assert away[3] > 8
    assert all(further > nearer for nearer, further in pairwise(away))


def test_a_profile_of_rough_pictures_roughens_and_one_of_smooth_pictures_smooths():
    source = load_photo("astronaut.png", longest_px=512)

    def measure_texture(image: Pixels) -> float:
        return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std())

    rough = learn([stylise(load_photo("chelsea.png", longest_px=512), "pencil")])
    smooth = learn([cv2.GaussianBlur(load_photo("chelsea.png", longest_px=512), (0, 0), 4)])
    assert (
        measure_texture(apply(source, smooth, weight=1))
        < 0.8 * measure_texture(source)
        < measure_texture(apply(source, rough, weight=1))
    )


def test_the_same_pictures_give_the_same_small_profile():
    profile = learn(BLUES)
    assert profile == learn(BLUES)
    assert len(profile) < 8_000


def test_a_profile_holds_the_mean_of_its_pictures():
    one, other = (read_profile(learn([image])) for image in BLUES)
    both = read_profile(learn(BLUES))
    assert np.allclose(both.colours, (one.colours + other.colours) / 2, atol=1e-3)
    assert both.touch == pytest.approx((one.touch + other.touch) / 2, rel=1e-5)


def test_the_picture_keeps_its_size():
    assert (
        apply(load_photo("rocket.jpg", longest_px=200), learn(BLUES), weight=0.7).shape
        == load_photo("rocket.jpg", 200).shape
    )


def test_nothing_can_be_learnt_from_no_picture():
    with pytest.raises(ValueError, match="at least one"):
        learn([])


@pytest.mark.parametrize("junk", [b"", b"junk", learn(BLUES)[:200], b"PK\x03\x04" + bytes(80)])
def test_bytes_that_are_no_profile_are_refused(junk: bytes):
    with pytest.raises(ValueError, match="not a style profile"):
        apply(load_photo("coffee.png"), junk, weight=1)


@pytest.mark.parametrize("weight", [-0.1, 2.1])
def test_a_weight_out_of_range_is_refused(weight: float):
    with pytest.raises(ValueError, match="weight"):
        apply(load_photo("coffee.png"), learn(BLUES), weight=weight)
