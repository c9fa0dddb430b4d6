"""A rough mark becomes a clean subject, with an honest word on how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.cutout import GIVE_A_BOX, GIVE_A_TIGHTER_BOX, LOW_CONFIDENCE, Cut, MarkKind, cut_out
from atelier_mcp.server.engine.pixels import Mask, Pixels, decode, resize

if TYPE_CHECKING:
    from pathlib import Path

CUP_BOX = (70, 10, 490, 385)


def make_blank_mask(image: Pixels) -> Mask:
    """A mask of the picture's size with nothing marked."""
    return np.zeros(image.shape[:2], np.uint8)


def mark_box(image: Pixels, box: tuple[int, int, int, int]) -> Mask:
    """One box (left, top, right, bottom) marked."""
    return cv2.rectangle(make_blank_mask(image), box[:2], box[2:], 255, cv2.FILLED)


def mark_point(image: Pixels, x: int, y: int) -> Mask:
    """One point marked."""
    return cv2.circle(make_blank_mask(image), (x, y), 6, 255, cv2.FILLED)


def mark_stroke(image: Pixels, points: list[tuple[int, int]], width_px: int) -> Mask:
    """A stroke through the points."""
    return cv2.polylines(
        make_blank_mask(image), [np.array(points, np.int32)], isClosed=False, color=255, thickness=width_px
    )


def assert_holds_the_cup(cut: Cut) -> None:
    """The cup and its saucer are in, the table in the corners is out, and the edge is soft."""
    height, width = cut.alpha.shape
    assert cut.alpha[140:180, 280:320].min() > 240
    assert cut.alpha[300, 200] > 240
    for corner in (
        np.s_[:40, :60],
        np.s_[:40, width - 60 :],
        np.s_[height - 40 :, :60],
        np.s_[height - 40 :, width - 60 :],
    ):
        assert cut.alpha[corner].max() < 15
    soft = ((cut.alpha > 20) & (cut.alpha < 235)).mean()
    assert 0 < soft < 0.05


@pytest.fixture(scope="module")
def coffee(photos: Path) -> Pixels:
    """A cup of coffee on a red saucer on wood."""
    return decode((photos / "coffee.png").read_bytes())


@pytest.fixture(scope="module")
def boxed_cup(coffee: Pixels) -> Cut:
    """The cup, cut out by a box round it."""
    return cut_out(coffee, mark_box(coffee, CUP_BOX), kind="box")


def test_a_box_yields_the_cup_in_it(boxed_cup: Cut) -> None:
    """And says that it is sure."""
    assert_holds_the_cup(boxed_cup)
    assert boxed_cup.confidence > 0.7
    assert boxed_cup.advice == ()


def test_a_box_drawn_as_a_line_means_what_is_inside(coffee: Pixels, boxed_cup: Cut) -> None:
    """An outline and a filled box are the same mark."""
    outline = cv2.rectangle(make_blank_mask(coffee), CUP_BOX[:2], CUP_BOX[2:], 255, 3)
    cut = cut_out(coffee, outline, kind="box")
    assert (np.abs(cut.alpha.astype(int) - boxed_cup.alpha) > 128).mean() < 0.005


def test_a_circle_round_a_patch_yields_the_patch(photos: Path) -> None:
    """A round patch on a suit, and nothing of the suit."""
    astronaut = decode((photos / "astronaut.png").read_bytes())
    mark = cv2.circle(make_blank_mask(astronaut), (168, 388), 50, 255, cv2.FILLED)
    cut = cut_out(astronaut, mark, kind="circle")
    assert cut.alpha[388, 168] > 240
    assert cut.alpha[388, 215] < 15
    assert cut.confidence > LOW_CONFIDENCE


@pytest.mark.parametrize("where", [(250, 300), (330, 180)], ids=["saucer", "coffee"])
def test_a_point_on_a_part_means_the_whole_thing(coffee: Pixels, where: tuple[int, int]) -> None:
    """Red saucer or brown coffee: cup and saucer are one thing."""
    assert_holds_the_cup(cut_out(coffee, mark_point(coffee, *where), kind="point"))


def test_two_points_mean_both_things_they_lie_on() -> None:
    """A red and a blue disc on grey, a point on each."""
    image = np.full((200, 300, 3), 128, np.uint8)
    cv2.circle(image, (80, 100), 40, (210, 40, 40), cv2.FILLED)
    cv2.circle(image, (220, 100), 40, (40, 60, 210), cv2.FILLED)
    cut = cut_out(image, cv2.bitwise_or(mark_point(image, 80, 100), mark_point(image, 220, 100)), kind="point")
    assert cut.alpha[100, 60] > 240
    assert cut.alpha[100, 240] > 240
    assert cut.alpha[100, 150] < 15


@pytest.mark.parametrize("kind", ["smear", "box", "circle", "line", "point"])
def test_a_tiny_picture_is_cut_too(kind: MarkKind) -> None:
    """A red square on grey, 48 pixels a side in all."""
    image = np.full((48, 48, 3), 128, np.uint8)
    image[14:34, 14:34] = (220, 30, 30)
    cut = cut_out(image, mark_box(image, (11, 11, 36, 36)), kind=kind)
    assert cut.alpha[18:30, 18:30].min() > 200


@pytest.mark.parametrize(("kind", "width_px"), [("line", 5), ("smear", 24)])
def test_a_stroke_holds_what_it_touches(photos: Path, kind: MarkKind, width_px: int) -> None:
    """A stroke through face and uniform yields both, and neither flag nor sky."""
    officer = decode((photos / "grace_hopper.jpg").read_bytes())
    mark = mark_stroke(officer, [(250, 60), (260, 220), (260, 420), (120, 540), (420, 540)], width_px)
    cut = cut_out(officer, mark, kind=kind)
    assert cut.alpha[mark > 0].mean() > 240
    assert cut.alpha[:120, 420:].max() < 15
    assert cut.alpha[:200, :60].max() < 15
    assert cut.confidence > LOW_CONFIDENCE


def test_a_thin_subject_is_found_in_its_box(photos: Path) -> None:
    """The rocket, without the sky beside it."""
    rocket = decode((photos / "rocket.jpg").read_bytes())
    cut = cut_out(rocket, mark_box(rocket, (295, 110, 350, 425)), kind="box")
    assert cut.alpha[180:340, 318:324].mean() > 230
    assert cut.alpha[150:350, 300:305].max() < 15
    assert cut.alpha[150:350, 344:349].max() < 15


@pytest.mark.parametrize("kind", ["box", "point"])
@pytest.mark.parametrize("ground", ["flat", "noise"])
def test_where_there_is_no_subject_confidence_is_low_and_a_box_is_asked_for(kind: MarkKind, ground: str) -> None:
    """A flat and a noisy picture hold nothing to cut out."""
    noise = np.random.default_rng(1).integers(0, 255, (150, 200, 3)).astype(np.uint8)
    image = noise if ground == "noise" else np.full_like(noise, 128)
    mark = mark_box(image, (50, 40, 150, 110)) if kind == "box" else mark_point(image, 100, 75)
    cut = cut_out(image, mark, kind=kind)
    assert cut.confidence < 0.2
    assert cut.advice == ((GIVE_A_TIGHTER_BOX,) if kind == "box" else (GIVE_A_BOX,))


def test_the_foreground_is_the_picture_where_the_cut_is_opaque(coffee: Pixels, boxed_cup: Cut) -> None:
    """Only the soft edge is recoloured."""
    opaque = boxed_cup.alpha == 255
    assert opaque.mean() > 0.2
    assert (boxed_cup.foreground[opaque] == coffee[opaque]).all()


def test_the_edge_keeps_no_colour_of_the_old_ground() -> None:
    """A red disc softly laid on green has no green left in its edge."""
    alpha = cv2.GaussianBlur(cv2.circle(np.zeros((200, 200), np.float32), (100, 100), 50, 1.0, cv2.FILLED), (0, 0), 1)
    image = (alpha[..., None] * (200, 30, 30) + (1 - alpha[..., None]) * (30, 180, 40)).astype(np.uint8)
    cut = cut_out(image, mark_box(image, (40, 40, 160, 160)), kind="box")
    edge = (cut.alpha > 60) & (cut.alpha < 250)
    assert edge.any()
    assert image[edge][:, 1].mean() > 70
    assert cut.foreground[edge][:, 1].mean() < 50


def test_a_large_picture_gets_an_alpha_of_its_own_size(coffee: Pixels) -> None:
    """Four times the size, the same cup."""
    large = resize(coffee, 2400, 1600)
    cut = cut_out(large, mark_box(large, (280, 40, 1960, 1540)), kind="box")
    assert cut.alpha.shape == large.shape[:2]
    assert cut.foreground.shape == large.shape
    assert cut.alpha[600:700, 1150:1250].min() > 240
    assert cut.alpha[:160, :240].max() < 15


def test_the_same_mark_gives_the_same_bytes(coffee: Pixels, boxed_cup: Cut) -> None:
    """Clustering and graph cut start from one seed, whatever ran before."""
    cv2.setRNGSeed(99)
    again = cut_out(coffee, mark_box(coffee, CUP_BOX), kind="box")
    assert (again.alpha == boxed_cup.alpha).all()
    assert (again.foreground == boxed_cup.foreground).all()
    assert again.confidence == boxed_cup.confidence


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (np.zeros((40, 60), np.uint8), "empty"),
        (np.full((40, 60), 255, np.uint8), "covers the whole picture"),
        (np.full((60, 40), 255, np.uint8), "40x60 but the picture is 60x40"),
    ],
)
def test_a_useless_mark_is_refused_in_one_sentence(mark: Mask, said: str) -> None:
    """Empty, all-covering, or of another size."""
    with pytest.raises(ValueError, match=said):
        cut_out(np.zeros((40, 60, 3), np.uint8), mark, kind="smear")


def test_a_filled_outline_is_followed_and_nothing_far_from_it_is_taken(photos: Path) -> None:
    """As wide as no brush, it is no stroke on the subject: the shuttle behind it stays out."""
    astronaut = decode((photos / "astronaut.png").read_bytes())
    outline = [(150, 10), (300, 10), (300, 140), (360, 250), (350, 511), (30, 511), (60, 270), (130, 160)]
    mark = cv2.fillPoly(make_blank_mask(astronaut), [np.array(outline, np.int32)], 255)
    cut = cut_out(astronaut, mark, kind="smear")
    face, suit, shuttle, wall = (
        np.s_[80:120, 200:240],
        np.s_[330:400, 140:260],
        np.s_[60:200, 400:440],
        np.s_[20:90, 320:370],
    )
    assert min(cut.alpha[face].min(), cut.alpha[suit].min()) > 240
    assert max(cut.alpha[shuttle].max(), cut.alpha[wall].max()) < 15
    assert cut.confidence > LOW_CONFIDENCE


def test_a_wide_brush_on_a_part_still_means_the_whole(coffee: Pixels) -> None:
    cut = cut_out(coffee, cv2.circle(make_blank_mask(coffee), (320, 200), 60, 255, cv2.FILLED), kind="smear")
    assert_holds_the_cup(cut)
