"""A swapped face is the source's, in the light of the base, and nothing around it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.face_swap import swap
from atelier_mcp.server.engine.faces import DetectedFace, detect_faces
from atelier_mcp.server.engine.pixels import Array, Pixels, decode, resize

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def astronaut(photos: Path) -> Pixels:
    return decode((photos / "astronaut.png").read_bytes())


@pytest.fixture(scope="module")
def hopper(photos: Path) -> Pixels:
    return decode((photos / "grace_hopper.jpg").read_bytes())


def extract_features(image: Pixels, face: DetectedFace) -> Array:
    """Eyes, nose and mouth, upright and grey, light and contrast taken out."""
    assert face.eyes is not None
    (left_x, left_y), (right_x, right_y) = face.eyes
    across = np.array([right_x - left_x, right_y - left_y])
    middle = np.array([(left_x + right_x) / 2, (left_y + right_y) / 2])
    below = middle + np.array([-across[1], across[0]])
    corners = np.array([[left_x, left_y], [right_x, right_y], below], np.float32)
    frame = np.array([[20, 20], [80, 20], [50, 80]], np.float32)
    upright = cv2.warpAffine(image, cv2.getAffineTransform(corners, frame), (100, 100), flags=cv2.INTER_AREA)
    grey = cv2.GaussianBlur(cv2.cvtColor(upright, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5)
    flat = grey - cv2.GaussianBlur(grey, (0, 0), 15)
    return flat / flat.std()


def compute_likeness(one: Array, other: Array) -> float:
    """Correlation, allowing a few pixels of shift."""
    return float(cv2.matchTemplate(one[8:-8, 8:-8], other, cv2.TM_CCOEFF_NORMED).max())


def measure_skin_tone(image: Pixels, face: DetectedFace) -> Array:
    """Median of Lab over the middle of the face."""
    x, y = face.x + face.width // 4, face.y + face.height // 4
    middle = image[y : y + face.height // 2, x : x + face.width // 2]
    return np.median(cv2.cvtColor(middle, cv2.COLOR_RGB2Lab).reshape(-1, 3), axis=0)


@pytest.mark.parametrize(("base", "source"), [("astronaut", "hopper"), ("hopper", "astronaut")])
def test_the_new_face_has_the_sources_features_and_the_bases_colours(
    base: str, source: str, request: pytest.FixtureRequest
) -> None:
    base_image, source_image = request.getfixturevalue(base), request.getfixturevalue(source)
    result = swap(base_image, [(0, source_image, 0)])
    (before,), (donor,), (after,) = detect_faces(base_image), detect_faces(source_image), detect_faces(result)
    new = extract_features(result, after)
    assert compute_likeness(new, extract_features(source_image, donor)) > 0.8
    assert (
        compute_likeness(new, extract_features(source_image, donor))
        > compute_likeness(new, extract_features(base_image, before)) + 0.25
    )
    tone, base_tone = measure_skin_tone(result, before), measure_skin_tone(base_image, before)
    source_tone = measure_skin_tone(source_image, donor)
    assert np.linalg.norm(tone - base_tone) < np.linalg.norm(tone - source_tone)


def test_everything_away_from_the_face_stays_bit_for_bit(hopper: Pixels, astronaut: Pixels) -> None:
    (face,) = detect_faces(hopper)
    result = swap(hopper, [(0, astronaut, 0)])
    rows, columns = np.nonzero((result != hopper).any(axis=2))
    assert face.x - face.width * 0.2 < columns.min()
    assert columns.max() < face.x + face.width * 1.2
    assert face.y - face.height * 0.2 < rows.min()
    assert rows.max() < face.y + face.height * 1.4
    assert result.shape == hopper.shape


def test_a_hat_and_a_fringe_stay_on(hopper: Pixels, astronaut: Pixels) -> None:
    under_hat = swap(hopper, [(0, astronaut, 0)])
    assert np.array_equal(under_hat[:110], hopper[:110])
    under_fringe = swap(astronaut, [(0, hopper, 0)])
    moved = np.abs(under_fringe[:72].astype(int) - astronaut[:72]).max()
    assert moved <= 8


def find_eye_line(image: Pixels) -> tuple[float, float, float]:
    """The point between the eyes of its one face, and their distance."""
    (face,) = detect_faces(image)
    assert face.eyes is not None
    (left, left_y), (right, right_y) = face.eyes
    return (left + right) / 2, (left_y + right_y) / 2, right - left


def test_glasses_are_put_on_whole(hopper: Pixels, astronaut: Pixels) -> None:
    """Their rims reach over the hair at both temples; without glasses the hair stays as it is."""
    x, y, unit = find_eye_line(astronaut)
    worn, bare = swap(astronaut, [(0, hopper, 0)]), swap(astronaut, [(0, astronaut, 0)])
    rows = slice(round(y - 0.4 * unit), round(y + 0.1 * unit))
    for columns in (
        slice(round(x - 1.3 * unit), round(x - 1.02 * unit)),
        slice(round(x + 1.02 * unit), round(x + 1.3 * unit)),
    ):
        before = astronaut[rows, columns].astype(int)
        assert (np.abs(worn[rows, columns] - before).max(axis=2) > 20).sum() > 8
        assert (np.abs(bare[rows, columns] - before).max(axis=2) > 20).sum() == 0


def test_rough_skin_is_smoothed_for_a_smooth_base(hopper: Pixels, astronaut: Pixels) -> None:
    """The same face keeps its wrinkles on a base that is as rough."""
    grain = np.random.default_rng(1).normal(0, 9, (512, 512, 1))
    rough = np.clip(astronaut + grain, 0, 255).astype(np.uint8)
    x, y, unit = find_eye_line(astronaut)

    def measure_roughness(base: Pixels) -> float:
        grey = cv2.cvtColor(swap(base, [(0, hopper, 0)]), cv2.COLOR_RGB2GRAY).astype(np.float32)
        fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.5))
        return float(fine[round(y + 0.3 * unit) : round(y + 0.8 * unit), round(x - 0.6 * unit) : round(x)].mean())

    assert measure_roughness(astronaut) < 0.95 * measure_roughness(rough)


def test_the_picture_given_is_not_written_to(hopper: Pixels, astronaut: Pixels) -> None:
    before = hopper.copy()
    swap(hopper, [(0, astronaut, 0)])
    assert np.array_equal(hopper, before)


def test_each_pair_replaces_its_own_face(hopper: Pixels, astronaut: Pixels) -> None:
    group = np.hstack([astronaut, resize(hopper, 437, 512)])
    result = swap(group, [(1, group, 0), (0, group, 1)])
    left, right = detect_faces(result)
    (donor_left, donor_right) = detect_faces(group)
    assert compute_likeness(extract_features(result, left), extract_features(group, donor_right)) > 0.75
    assert compute_likeness(extract_features(result, right), extract_features(group, donor_left)) > 0.75


def test_a_face_can_be_put_on_a_tilted_head(hopper: Pixels, astronaut: Pixels) -> None:
    turn = cv2.getRotationMatrix2D((256, 256), 12, 1)
    tilted = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REFLECT)
    result = swap(tilted, [(0, hopper, 0)])
    (after,), (donor,) = detect_faces(result), detect_faces(hopper)
    assert compute_likeness(extract_features(result, after), extract_features(hopper, donor)) > 0.75


def test_a_face_cut_by_the_edge_can_be_replaced(hopper: Pixels, astronaut: Pixels) -> None:
    cut = np.ascontiguousarray(astronaut[62:168, 172:300])
    result = swap(cut, [(0, hopper, 0)])
    assert result.shape == cut.shape
    (after,), (donor,) = detect_faces(cut), detect_faces(hopper)
    assert compute_likeness(extract_features(result, after), extract_features(hopper, donor)) > 0.7


def test_a_black_and_white_picture_stays_nearly_so(hopper: Pixels, astronaut: Pixels) -> None:
    grey = cv2.cvtColor(cv2.cvtColor(hopper, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    result = swap(grey, [(0, astronaut, 0)])
    (face,) = detect_faces(grey)
    _, a, b = measure_skin_tone(result, face) - 128
    assert np.hypot(a, b) < 4


def test_a_face_put_into_the_dark_is_dark(hopper: Pixels, astronaut: Pixels) -> None:
    dark = (astronaut * 0.45).astype(np.uint8)
    result = swap(dark, [(0, hopper, 0)])
    (face,) = detect_faces(dark)
    assert abs(measure_skin_tone(result, face)[0] - measure_skin_tone(dark, face)[0]) < 16


def test_a_source_of_another_size_gives_much_the_same_face(hopper: Pixels, astronaut: Pixels) -> None:
    large = resize(hopper, 3 * 512, 3 * 600)
    one, other = swap(astronaut, [(0, hopper, 0)]), swap(astronaut, [(0, large, 0)])
    (face,) = detect_faces(astronaut)
    assert compute_likeness(extract_features(one, face), extract_features(other, face)) > 0.7


def test_the_same_pictures_give_the_same_bytes(hopper: Pixels, astronaut: Pixels) -> None:
    assert np.array_equal(swap(hopper, [(0, astronaut, 0)]), swap(hopper, [(0, astronaut, 0)]))


def test_no_pairs_change_nothing(astronaut: Pixels) -> None:
    assert np.array_equal(swap(astronaut, []), astronaut)


def test_a_picture_without_faces_is_refused_by_name(photos: Path, astronaut: Pixels) -> None:
    rocket = decode((photos / "rocket.jpg").read_bytes())
    with pytest.raises(ValueError, match=r"^No face was found in the base picture\.$"):
        swap(rocket, [(0, astronaut, 0)])
    with pytest.raises(ValueError, match=r"^No face was found in the source picture\.$"):
        swap(astronaut, [(0, rocket, 0)])


@pytest.mark.parametrize("index", [1, 7, -1])
def test_an_index_beyond_the_faces_is_refused_with_their_count(astronaut: Pixels, hopper: Pixels, index: int) -> None:
    with pytest.raises(ValueError, match=rf"no face with index {index} in the base picture: 1 face was found"):
        swap(astronaut, [(index, hopper, 0)])
    with pytest.raises(ValueError, match=rf"no face with index {index} in the source picture: 1 face was found"):
        swap(astronaut, [(0, hopper, index)])
