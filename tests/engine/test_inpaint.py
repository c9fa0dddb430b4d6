"""Something new where a picture is marked: set in to match, and nothing else touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.inpaint import inpaint
from atelier_mcp.server.engine.pixels import Mask, Pixels, decode

if TYPE_CHECKING:
    from pathlib import Path

SKY = (420, 60, 500, 140)


@pytest.fixture(scope="module")
def rocket(photos: Path) -> Pixels:
    """A rocket before an evening sky."""
    return decode((photos / "rocket.jpg").read_bytes())


def mark_box(image: Pixels, box: tuple[int, int, int, int]) -> Mask:
    """One box (left, top, right, bottom) marked."""
    left, top, right, bottom = box
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def draw_ball(width: int, height: int, colour: tuple[int, int, int] = (220, 40, 40)) -> Pixels:
    """A coloured ball on transparent ground."""
    plane = np.zeros((height, width, 4), np.uint8)
    return cv2.circle(plane, (width // 2, height // 2), min(width, height) // 2 - 2, (*colour, 255), cv2.FILLED)


def measure_redness(part: Pixels) -> float:
    """How much redder than blue a part is on average, in byte steps."""
    return float(part[..., 0].mean() - part[..., 2].mean())


def test_an_element_appears_in_the_mask(rocket: Pixels) -> None:
    """A red ball in the middle of the marked sky, sky in its corners."""
    out = inpaint(rocket, mark_box(rocket, SKY), element=draw_ball(80, 80), strength=1, seed=1)
    assert measure_redness(out[90:110, 450:470]) > 60
    assert measure_redness(out[62:66, 422:426]) < 0


def test_only_what_is_marked_changes(rocket: Pixels) -> None:
    """Bit for bit, up to the mask's own edge."""
    mask = cv2.ellipse(np.zeros(rocket.shape[:2], np.uint8), (460, 100), (40, 25), 0, 0, 360, 255, cv2.FILLED)
    out = inpaint(rocket, mask, element=draw_ball(80, 50), strength=1, seed=1)
    beyond = mask == 0
    assert (out[beyond] == rocket[beyond]).all()
    assert (out[~beyond] != rocket[~beyond]).any()


def test_an_element_shrinks_until_it_lies_inside_a_round_mask(rocket: Pixels) -> None:
    """A square in a circle: its corners are not cut off."""
    mask = cv2.circle(np.zeros(rocket.shape[:2], np.uint8), (460, 100), 45, 255, cv2.FILLED)
    square = np.zeros((90, 90, 4), np.uint8)
    square[5:85, 5:85] = (220, 40, 40, 255)
    out = inpaint(rocket, mask, element=square, strength=1, seed=1)
    red = out[..., 0].astype(int) - out[..., 2] > 30
    _, _, width, height = cv2.boundingRect(red[40:160, 400:520].astype(np.uint8))
    assert 45 < width < 75
    assert np.count_nonzero(red[40:160, 400:520]) > 0.93 * width * height


def test_a_scene_without_transparency_covers_the_mask(rocket: Pixels) -> None:
    """And is cut to its shape."""
    mask = cv2.circle(np.zeros(rocket.shape[:2], np.uint8), (460, 100), 45, 255, cv2.FILLED)
    scene = np.full((90, 90, 4), 255, np.uint8)
    out = inpaint(rocket, mask, element=scene, strength=1, seed=1)
    ground = rocket[80:120, 400:410].mean()
    assert out[100, 420:500].mean() > ground + 40
    assert out[60:64, 418:422].mean() < ground + 10


def test_the_element_takes_on_the_light_around_it(rocket: Pixels) -> None:
    """A white ball in a night sky is no longer white, and is bluer than it was."""
    out = inpaint(rocket, mark_box(rocket, SKY), element=draw_ball(80, 80, (250, 250, 250)), strength=1, seed=1)
    middle = out[90:110, 450:470]
    assert middle.mean() < 220
    assert measure_redness(middle) < -5


def test_without_an_element_the_place_is_cleared(rocket: Pixels) -> None:
    """The rocket gives way to sky."""
    out = inpaint(rocket, mark_box(rocket, (255, 110, 375, 427)), element=None, strength=1, seed=7)
    beside = rocket[160:300, 240:250].mean((0, 1))
    assert np.abs(out[160:300, 310:330].mean((0, 1)) - beside).max() < 15
    assert np.abs(rocket[160:300, 310:330].mean((0, 1)) - beside).max() > 40


def test_strength_blends_from_the_old_to_the_new(rocket: Pixels) -> None:
    """The more of it, the further from what was there."""
    mask = mark_box(rocket, SKY)
    changes = [
        np.abs(inpaint(rocket, mask, element=draw_ball(80, 80), strength=strength, seed=1).astype(int) - rocket).mean()
        for strength in (0.1, 0.5, 1.0)
    ]
    assert changes[0] > 0
    assert changes[0] * 3 < changes[1]
    assert changes[1] * 1.7 < changes[2]


def test_a_seed_decides_the_bytes(rocket: Pixels) -> None:
    """The same one gives the same picture, another one another."""
    mask = mark_box(rocket, (300, 110, 350, 345))
    first, again, other = (
        inpaint(rocket, mask, element=draw_ball(50, 235), strength=1, seed=seed) for seed in (3, 3, 4)
    )
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("strength", [0.0, 0.05, 1.1])
def test_a_strength_out_of_range_is_refused(rocket: Pixels, strength: float) -> None:
    """It lies between 0.1 and 1."""
    with pytest.raises(ValueError, match="strength must lie between"):
        inpaint(rocket, mark_box(rocket, SKY), element=None, strength=strength, seed=1)


def test_an_element_without_alpha_is_refused(rocket: Pixels) -> None:
    """An RGB element says nothing about its shape."""
    with pytest.raises(ValueError, match="alpha channel"):
        inpaint(rocket, mark_box(rocket, SKY), element=np.zeros((9, 9, 3), np.uint8), strength=1, seed=1)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.zeros((40, 60), np.uint8), "empty"),
        (np.full((40, 60), 255, np.uint8), "covers the whole picture"),
        (np.full((60, 40), 255, np.uint8), "40x60 but the picture is 60x40"),
    ],
)
def test_a_useless_mask_is_refused_in_one_sentence(mask: Mask, said: str) -> None:
    """Empty, all-covering, or of another size."""
    with pytest.raises(ValueError, match=said):
        inpaint(np.zeros((40, 60, 3), np.uint8), mask, element=None, strength=1, seed=1)
