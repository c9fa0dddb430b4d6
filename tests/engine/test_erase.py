"""Something taken out of a picture: it is gone, and nothing else has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine import erase as erasing
from atelier_mcp.server.engine import fill as filling
from atelier_mcp.server.engine.erase import erase
from atelier_mcp.server.engine.fill import grow_mask
from atelier_mcp.server.engine.hole_pieces import split_hole
from atelier_mcp.server.engine.pixels import Mask, Pixels, decode, resize

if TYPE_CHECKING:
    from pathlib import Path

ROCKET = (300, 110, 350, 345)
SHUTTLE = (350, 0, 470, 290)


def mark_box(image: Pixels, box: tuple[int, int, int, int]) -> Mask:
    """A mask of the picture's size with one box (left, top, right, bottom) marked."""
    left, top, right, bottom = box
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def compute_likeness(first: Pixels, second: Pixels) -> float:
    """The correlation of two pictures' grey values within their rows: 1 is the same content, 0 none of it."""
    greys = [cv2.cvtColor(part, cv2.COLOR_RGB2GRAY).astype(np.float64) for part in (first, second)]
    flat = [grey - grey.mean(axis=1, keepdims=True) for grey in greys]  # without the sky's own gradient
    return float(np.corrcoef(flat[0].ravel(), flat[1].ravel())[0, 1])


@pytest.fixture(scope="module")
def rocket(photos: Path) -> Pixels:
    """A rocket before an evening sky."""
    return decode((photos / "rocket.jpg").read_bytes())


@pytest.fixture(scope="module")
def erased_rocket(rocket: Pixels) -> Pixels:
    """The same without the rocket."""
    return erase(rocket, mark_box(rocket, ROCKET)).image


def test_an_erased_rocket_leaves_sky(rocket: Pixels, erased_rocket: Pixels) -> None:
    """Colours and edges where it stood are those of the sky beside it."""
    left, top, right, bottom = ROCKET
    there = np.s_[top + 10 : bottom - 60, left:right]
    beside = np.s_[top + 10 : bottom - 60, left - 40 : left - 5]
    colour_gap = np.abs(erased_rocket[there].mean((0, 1)) - rocket[beside].mean((0, 1)))
    assert colour_gap.max() < 8
    assert np.abs(rocket[there].mean((0, 1)) - rocket[beside].mean((0, 1))).max() > 25
    edges = [float(cv2.Laplacian(part, cv2.CV_64F).std()) for part in (erased_rocket[there], rocket[there])]
    assert edges[0] < 0.5 * edges[1]
    assert compute_likeness(erased_rocket[there], rocket[there]) < 0.3


def test_every_pixel_beyond_the_margin_of_the_mask_stands(rocket: Pixels, erased_rocket: Pixels) -> None:
    """Only the mask and its margin of 5 px change."""
    beyond = grow_mask(mark_box(rocket, ROCKET), erasing.MARGIN_PX) == 0
    assert (erased_rocket[beyond] == rocket[beyond]).all()


def test_the_feather_leaves_no_seam(rocket: Pixels, erased_rocket: Pixels) -> None:
    """Across the edge of the changed area neighbouring pixels differ as little as in the sky itself."""
    left, top, _, bottom = ROCKET
    rows = slice(top + 20, bottom - 60)
    edge = left - erasing.MARGIN_PX
    across = np.abs(np.diff(erased_rocket[rows, edge - 2 : edge + 6].astype(int), axis=1)).mean()
    in_sky = np.abs(np.diff(rocket[rows, left - 40 : left - 20].astype(int), axis=1)).mean()
    assert across < in_sky + 2


def test_a_neighbouring_face_is_not_copied_into_the_hole(photos: Path) -> None:
    """The shuttle's place becomes wall and table: no skin, no hair, no orange suit."""
    astronaut = decode((photos / "astronaut.png").read_bytes())
    out = erase(astronaut, mark_box(astronaut, SHUTTLE)).image
    left, top, right, bottom = SHUTTLE
    chroma = cv2.cvtColor(out[top:bottom, left:right], cv2.COLOR_RGB2LAB)[..., 1:].astype(int) - 128
    assert (np.hypot(chroma[..., 0], chroma[..., 1]) > 22).mean() < 0.02


def test_a_mask_through_an_object_is_advised_upon(rocket: Pixels) -> None:
    """The box of the rocket ends above its foot."""
    advice = erase(rocket, mark_box(rocket, ROCKET)).advice
    assert len(advice) == 1
    assert "cuts through an object" in advice[0]


@pytest.mark.parametrize("box", [(255, 110, 375, 427), (400, 150, 440, 190)], ids=["whole object", "plain sky"])
def test_a_mask_round_a_whole_thing_needs_no_advice(rocket: Pixels, box: tuple[int, int, int, int]) -> None:
    """Neither the whole rocket nor a piece of sky is cut through."""
    assert erase(rocket, mark_box(rocket, box)).advice == ()


def test_the_same_picture_and_mask_give_the_same_bytes(rocket: Pixels, erased_rocket: Pixels) -> None:
    """The patch search starts from one seed."""
    assert (erase(rocket, mark_box(rocket, ROCKET)).image == erased_rocket).all()


def test_two_places_far_apart_are_both_filled(rocket: Pixels) -> None:
    """Each from its own surroundings, with the picture between them untouched."""
    mask = cv2.bitwise_or(mark_box(rocket, (60, 40, 80, 60)), mark_box(rocket, (520, 300, 540, 320)))
    painted = rocket.copy()
    painted[mask > 0] = (255, 0, 255)
    out = erase(painted, mask).image
    magenta = (out[..., 0] > 150) & (out[..., 2] > 150) & (out[..., 1] < 80)
    assert not magenta.any()
    assert (out[:, 200:400] == rocket[:, 200:400]).all()


def test_a_large_picture_is_filled_at_its_own_size(rocket: Pixels) -> None:
    """The answer keeps size and source; only the search runs smaller."""
    large = resize(rocket, 1920, 1281)
    mask = mark_box(large, (900, 330, 1050, 1035))
    out = erase(large, mask).image
    beyond = grow_mask(mask, erasing.MARGIN_PX) == 0
    assert out.shape == large.shape
    assert (out[beyond] == large[beyond]).all()
    assert compute_likeness(out[400:850, 900:1050], large[400:850, 900:1050]) < 0.3


def test_a_fill_made_small_has_the_grain_of_a_large_picture() -> None:
    """Fine noise is put back into the hole, though the search cannot see it."""
    rng = np.random.default_rng(5)
    large = np.clip(128 + rng.normal(0, 14, (1400, 1400, 1)) + rng.normal(0, 2, (1400, 1400, 3)), 0, 255).astype(
        np.uint8
    )
    mask = mark_box(large, (450, 450, 950, 950))
    out = erase(large, mask).image
    there, beside = (out[480:920, columns].astype(float) for columns in (slice(480, 920), slice(0, 440)))
    assert np.diff(there, axis=1).std() > 0.6 * np.diff(beside, axis=1).std()
    assert compute_likeness(out[480:920, 480:920], large[480:920, 480:920]) < 0.1


def test_without_the_native_patch_search_the_hole_is_smoothed(rocket: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fallback still removes the thing and touches nothing else."""
    monkeypatch.setattr(filling.patchmatch, "patchmatch_available", False)
    mask = mark_box(rocket, ROCKET)
    out = erase(rocket, mask).image
    beyond = grow_mask(mask, erasing.MARGIN_PX) == 0
    assert (out[beyond] == rocket[beyond]).all()
    assert compute_likeness(out[120:280, 300:350], rocket[120:280, 300:350]) < 0.5


def test_a_mask_that_almost_covers_the_picture_is_still_filled(rocket: Pixels) -> None:
    """Its margin would leave nothing to copy from, so it is left off."""
    small = np.ascontiguousarray(rocket[:64, :64])
    mask = np.full(small.shape[:2], 255, np.uint8)
    mask[:3] = 0
    assert (erase(small, mask).image[:3] == small[:3]).all()


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
        erase(np.zeros((40, 60, 3), np.uint8), mask)


def test_a_long_thing_is_filled_with_what_is_beside_each_part_of_it(photos: Path) -> None:
    """The spoon's bowl lies on a plain saucer, its handle reaches to the wood: no wood comes onto the saucer."""
    coffee = decode((photos / "coffee.png").read_bytes())
    mask = np.zeros(coffee.shape[:2], np.uint8)
    cv2.polylines(mask, [np.array([[415, 68], [400, 130], [375, 240]], np.int32)], False, 255, 26)
    cv2.circle(mask, (366, 284), 50, 255, cv2.FILLED)
    made = erase(coffee, mask).image
    bowl, saucer = (measure_grain(made[place]) for place in (np.s_[255:315, 340:395], np.s_[250:320, 425:455]))
    assert bowl < 1.3 * saucer


def measure_grain(image: Pixels) -> float:
    """How much neighbours differ in green: wood has a grain, a saucer has none."""
    return float(cv2.Laplacian(image[..., 1].astype(np.float32), cv2.CV_32F).std())


def test_the_pieces_of_a_long_hole_are_the_whole_of_it() -> None:
    hole = cv2.line(np.zeros((1500, 2000), np.uint8), (20, 30), (1900, 1400), 255, 60)
    pieces = split_hole(hole)
    assert len(pieces) > 1
    assert (np.maximum.reduce(pieces) == hole).all()
    assert sum(cv2.countNonZero(piece) for piece in pieces) == cv2.countNonZero(hole)
