"""The subject found without a mark, or by the faces in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.cutout import GIVE_A_BOX, LOW_CONFIDENCE
from atelier_mcp.server.engine.pixels import Pixels, decode
from atelier_mcp.server.engine.saliency import compute_saliency
from atelier_mcp.server.engine.segment import cut_to_rgba, segment

if TYPE_CHECKING:
    from pathlib import Path

OFFICER_FACE = (145, 99, 239, 239)
ASTRONAUT_FACE = (177, 66, 97, 97)


@pytest.fixture(scope="module")
def coffee(photos: Path) -> Pixels:
    """A cup of coffee on a red saucer on wood."""
    return decode((photos / "coffee.png").read_bytes())


def test_the_cup_is_found_without_a_mark(coffee: Pixels) -> None:
    """Cup and saucer in, table out."""
    cut = segment(coffee)
    assert cut.alpha[140:180, 280:320].min() > 240
    assert cut.alpha[300, 200] > 240
    assert cut.alpha[:40, :60].max() < 15
    assert cut.alpha[-40:, -60:].max() < 15
    assert cut.confidence > 0.6


@pytest.mark.parametrize(
    ("name", "face", "belongs", "ground"),
    [
        (
            "grace_hopper.jpg",
            OFFICER_FACE,
            [(265, 60), (265, 220), (180, 480), (380, 520)],
            [(30, 60), (480, 60), (480, 200)],
        ),
        (
            "astronaut.png",
            ASTRONAUT_FACE,
            [(225, 40), (225, 120), (150, 300), (100, 400)],
            [(20, 40), (400, 60), (480, 150)],
        ),
    ],
)
def test_a_face_brings_its_person_along(
    photos: Path,
    name: str,
    face: tuple[int, int, int, int],
    belongs: list[tuple[int, int]],
    ground: list[tuple[int, int]],
) -> None:
    """Hair, hat and clothes belong to the face; flag, wall and sky do not."""
    cut = segment(decode((photos / name).read_bytes()), faces=[face])
    assert [cut.alpha[y, x] > 200 for x, y in belongs] == [True] * len(belongs)
    assert [cut.alpha[y, x] < 50 for x, y in ground] == [True] * len(ground)
    assert cut.confidence > LOW_CONFIDENCE


def test_a_large_portrait_has_a_defined_edge_everywhere(photos: Path) -> None:
    """At three times its size smooth cloth and sky leave the edge filter no room for rounding."""
    large = cv2.resize(
        decode((photos / "grace_hopper.jpg").read_bytes()), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC
    )
    cut = segment(large, faces=[(435, 297, 717, 717)])
    assert cut.alpha[600:900, 700:900].min() > 240
    assert cut.alpha[200:500, 1400:].max() < 15


def test_a_picture_without_a_subject_has_no_confident_cut() -> None:
    """Flat grey: nothing stands out, and the answer says so."""
    cut = segment(np.full((150, 200, 3), 128, np.uint8))
    assert cut.confidence < 0.2
    assert cut.advice == (GIVE_A_BOX,)


def test_a_cut_through_even_sky_is_not_confident(photos: Path) -> None:
    """Before an evening sky the automatic cut runs through the sky itself."""
    cut = segment(decode((photos / "rocket.jpg").read_bytes()))
    assert cut.confidence < LOW_CONFIDENCE


def test_what_stands_out_is_what_is_walled_off_from_the_border() -> None:
    """A bright square in the middle stands out, a band that runs out of the picture does not."""
    image = np.full((120, 160, 3), 60, np.uint8)
    image[45:75, 60:100] = (220, 60, 60)
    image[100:110] = (60, 200, 60)
    found = compute_saliency(image)
    assert found[50:70, 65:95].mean() > 0.9
    assert found[100:110].mean() < 0.3
    assert found[:20].mean() < 0.1


def test_a_cut_becomes_one_rgba_picture(coffee: Pixels) -> None:
    """Colours of the foreground, alpha of the cut."""
    cut = segment(coffee)
    image = cut_to_rgba(cut)
    assert image.shape == (400, 600, 4)
    assert (image[..., :3] == cut.foreground).all()
    assert (image[..., 3] == cut.alpha).all()


def test_the_same_picture_gives_the_same_bytes(coffee: Pixels) -> None:
    """Nothing is drawn by chance."""
    assert (cut_to_rgba(segment(coffee)) == cut_to_rgba(segment(coffee))).all()
