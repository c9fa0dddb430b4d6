"""Image to image: the source's forms in the target's light."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.paint import paint
from atelier_mcp.server.engine.prompt import Prompt, read_prompt
from atelier_mcp.server.engine.repaint import repaint
from tests.support.photos import compute_distance, compute_mean_lab, load_photo

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Pixels

STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def make_night() -> np.ndarray:
    """A dark blue sky with a small bright moon."""
    sky = np.zeros((300, 400, 3), np.uint8)
    sky[:] = np.linspace((8, 10, 38), (22, 28, 70), 300).astype(np.uint8)[:, None]
    return cv2.circle(sky, (300, 70), 18, (255, 250, 225), -1).astype(np.uint8)


def make_sunset() -> np.ndarray:
    """A glowing sky over a dark ground."""
    sky = np.linspace((120, 60, 110), (255, 170, 60), 300).astype(np.uint8)
    return np.repeat(sky[:, None], 400, axis=1)


@pytest.mark.parametrize("style", [None, "watercolour"])
def test_no_strength_returns_the_source(style: str | None):
    source = load_photo("coffee.png")
    assert np.array_equal(repaint(source, make_sunset(), strength=0, style=style, seed=1), source)


@pytest.mark.parametrize("style", [None, "oil", "pencil"])
@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png"])
def test_more_strength_departs_further_from_the_source(name: str, style: str | None):
    source = load_photo(name)
    away = [
        compute_distance(source, repaint(source, make_sunset(), strength=s, style=style, seed=1)) for s in STRENGTHS
    ]
    assert all(further > nearer for nearer, further in pairwise(away))


@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png", "astronaut.png"])
def test_night_darkens_the_highlights_too(name: str):
    source = load_photo(name)
    dark = repaint(source, make_night(), strength=0.9, style=None, seed=1)
    assert compute_mean_lab(dark)[0] < 0.6 * compute_mean_lab(source)[0]
    assert np.percentile(dark.max(axis=2), 90) < 0.65 * np.percentile(source.max(axis=2), 90)


def test_the_palette_moves_to_the_targets():
    source = load_photo("astronaut.png")
    warm = compute_mean_lab(repaint(source, make_sunset(), strength=0.8, style=None, seed=1))
    cold = compute_mean_lab(repaint(source, make_night(), strength=0.8, style=None, seed=1))
    assert warm[2] > compute_mean_lab(source)[2] > cold[2]


def test_the_forms_of_the_source_stay():
    source = load_photo("astronaut.png")
    relit = repaint(source, make_sunset(), strength=0.9, style=None, seed=1)
    before, after = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).ravel() for each in (source, relit))
    assert np.corrcoef(before, after)[0, 1] > 0.8


def test_the_source_keeps_its_size_whatever_the_targets():
    source = load_photo("rocket.jpg", longest_px=200)
    assert repaint(source, make_night(), strength=0.5, style="ink", seed=1).shape == source.shape


@pytest.mark.parametrize("strength", [-0.1, 1.1])
def test_a_strength_out_of_range_is_refused(strength: float):
    with pytest.raises(ValueError, match="strength"):
        repaint(load_photo("coffee.png"), make_night(), strength=strength, style=None, seed=1)


NIGHT = read_prompt("at night, moonlight, stars")


def repaint_by_night(source: Pixels, strength: float, prompt: Prompt = NIGHT) -> Pixels:
    """The source at night, over a target whose colours must not matter."""
    return repaint(source, make_sunset(), strength=strength, style=None, seed=1, prompt=prompt)


def make_landscape_by_day() -> Pixels:
    return paint(read_prompt("a house in a meadow, cloudy, day"), seed=5, width=384, height=288)


@pytest.mark.parametrize("name", ["coffee.png", "astronaut.png"])
def test_a_night_in_words_is_dark_and_cool(name: str):
    source = load_photo(name)
    before, after = compute_mean_lab(source), compute_mean_lab(repaint_by_night(source, 0.85))
    assert after[0] < 0.65 * before[0]
    assert after[2] < before[2]


def test_clouds_darken_at_night():
    source = make_landscape_by_day()
    dark = repaint_by_night(source, 0.6, read_prompt("夜晚"))
    clouds = source[:140].min(axis=2) > 200
    assert clouds.sum() > 100
    assert dark[:140][clouds].mean() < 0.45 * source[:140][clouds].mean()


def test_a_moon_rises_in_a_sky_from_strength_six_tenths_on():
    source = make_landscape_by_day()
    faint, full = repaint_by_night(source, 0.55), repaint_by_night(source, 0.65)
    assert full[:140].max() > 225
    assert faint[:140].max() < 200
    assert repaint_by_night(source, 0.65, read_prompt("夜晚"))[:140].max() < full[:140].max()


def test_no_moon_hangs_on_a_wall():
    """Behind the astronaut is grey cloth, on the table under the cup is wood."""
    for name in ("astronaut.png", "coffee.png"):
        source = load_photo(name)
        dark = repaint_by_night(source, 0.85)
        assert (dark.max(axis=2) <= source.max(axis=2).astype(int) + 12).all()


def test_warm_lights_stay_warm_at_night():
    source = np.full((240, 320, 3), (90, 110, 90), np.uint8)
    source = cv2.circle(source, (160, 180), 3, (255, 210, 120), -1).astype(np.uint8)
    dark = repaint_by_night(source, 0.9).astype(int)
    assert dark[180, 160, 0] > 220
    assert dark[180, 160, 0] > dark[180, 160, 2] + 60
    assert dark[20:40].mean() < 50
    assert dark[180, 168].mean() > dark[30, 30].mean()


def test_the_same_night_falls_twice():
    source = make_landscape_by_day()
    assert np.array_equal(repaint_by_night(source, 0.8), repaint_by_night(source, 0.8))
    assert np.array_equal(repaint_by_night(source, 0.0), source)


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_black_and_white_leaves_no_colour_at_any_strength(strength: float):
    prompt = read_prompt("black and white photo")
    grey = repaint(load_photo("coffee.png"), make_sunset(), strength=strength, style=None, seed=1, prompt=prompt)
    assert (grey == grey[..., :1]).all()
    assert grey.std() > 20, "its forms are still there"
