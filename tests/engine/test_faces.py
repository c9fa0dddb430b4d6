"""Where faces are found, and where none is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.faces import DetectedFace, detect_faces
from atelier_mcp.server.engine.pixels import Pixels, decode, resize

if TYPE_CHECKING:
    from pathlib import Path

ASTRONAUT_EYES = ((202, 101), (248, 104))
HOPPER_EYES = ((221, 189), (306, 189))


@pytest.fixture(scope="module")
def astronaut(photos: Path) -> Pixels:
    return decode((photos / "astronaut.png").read_bytes())


@pytest.fixture(scope="module")
def hopper(photos: Path) -> Pixels:
    return decode((photos / "grace_hopper.jpg").read_bytes())


def assert_eyes_at(face: DetectedFace, expected: tuple[tuple[float, float], ...], tolerance_px: float) -> None:
    assert face.eyes is not None
    assert np.allclose(face.eyes, expected, atol=tolerance_px)


def draw_face() -> Pixels:
    """A cartoon of a face with large eyes, at 160 and 240 px from the left."""
    skin, hair, line = (250, 222, 200), (90, 50, 40), (70, 40, 30)
    page = np.full((400, 400, 3), (200, 220, 240), np.uint8)
    for centre, axes, colour in (((200, 190), (120, 140), hair), ((200, 215), (92, 112), skin)):
        cv2.ellipse(page, centre, axes, 0, 0, 360, colour, cv2.FILLED, cv2.LINE_AA)
    cv2.ellipse(page, (200, 125), (98, 50), 0, 0, 360, hair, cv2.FILLED, cv2.LINE_AA)
    for x in (160, 240):
        cv2.ellipse(page, (x, 205), (26, 18), 0, 0, 360, (255, 255, 255), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(page, (x, 206), 15, line, cv2.FILLED, cv2.LINE_AA)
        cv2.ellipse(page, (x, 203), (28, 20), 0, 190, 350, line, 4, cv2.LINE_AA)
        cv2.ellipse(page, (x, 188), (26, 12), 0, 200, 340, line, 4, cv2.LINE_AA)
    cv2.ellipse(page, (200, 275), (28, 12), 0, 0, 180, (170, 60, 60), 5, cv2.LINE_AA)
    return page


def test_a_portrait_has_one_face_with_its_eyes(astronaut: Pixels) -> None:
    (face,) = detect_faces(astronaut)
    assert_eyes_at(face, ASTRONAUT_EYES, 4)
    assert face.x < 202 < 248 < face.x + face.width
    assert face.y < 101 < face.y + face.height
    assert face.confidence > 0.9


def test_a_face_with_glasses_is_found_with_its_eyes(hopper: Pixels) -> None:
    (face,) = detect_faces(hopper)
    assert_eyes_at(face, HOPPER_EYES, 8)


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "rocket.jpg"])
@pytest.mark.parametrize("longest", [None, 960])
def test_a_picture_without_people_has_no_face(photos: Path, name: str, longest: int | None) -> None:
    image = decode((photos / name).read_bytes())
    if longest is not None:
        scale = longest / max(image.shape)
        image = resize(image, round(image.shape[1] * scale), round(image.shape[0] * scale))
    assert detect_faces(image) == ()


def test_faces_are_told_from_left_to_right(astronaut: Pixels, hopper: Pixels) -> None:
    group = np.hstack([cv2.flip(astronaut, 1), resize(hopper, 437, 512), astronaut])
    left, middle, right = detect_faces(group)
    assert_eyes_at(left, tuple((512 - x, y) for x, y in reversed(ASTRONAUT_EYES)), 6)
    assert_eyes_at(middle, tuple((512 + x * 437 / 512, y * 512 / 600) for x, y in HOPPER_EYES), 8)
    assert_eyes_at(right, tuple((512 + 437 + x, y) for x, y in ASTRONAUT_EYES), 6)


def test_positions_are_in_pixels_of_the_picture_whatever_its_size(hopper: Pixels) -> None:
    (face,) = detect_faces(resize(hopper, 3 * 512, 3 * 600))
    assert_eyes_at(face, tuple((3 * x, 3 * y) for x, y in HOPPER_EYES), 24)


def test_a_tilted_head_shows_in_its_eyes(astronaut: Pixels) -> None:
    turn = cv2.getRotationMatrix2D((256, 256), 12, 1)
    (face,) = detect_faces(cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REFLECT))
    across, down = turn
    turned = tuple((float(across @ [x, y, 1]), float(down @ [x, y, 1])) for x, y in ASTRONAUT_EYES)
    assert_eyes_at(face, turned, 5)


def test_a_drawn_face_is_found() -> None:
    (face,) = detect_faces(draw_face(), kind="anime")
    assert face.x < 160 < 240 < face.x + face.width
    assert face.y < 205 < 275 < face.y + face.height


def test_a_face_too_flat_for_a_photograph_is_found_as_a_drawn_one(astronaut: Pixels) -> None:
    flat: Pixels = np.asarray(cv2.GaussianBlur(astronaut, (0, 0), 6), np.uint8) // np.uint8(64) * np.uint8(64)
    assert detect_faces(flat) == ()
    (face,) = detect_faces(flat, kind="anime")
    assert face.x < 225 < face.x + face.width
    assert face.y < 115 < face.y + face.height


def test_the_same_picture_gives_the_same_faces(hopper: Pixels) -> None:
    assert detect_faces(hopper) == detect_faces(hopper)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (10, 400), (400, 10), (24, 24), (64, 64)])
def test_a_picture_too_small_or_too_thin_has_no_face(height: int, width: int) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    assert detect_faces(noise) == ()
