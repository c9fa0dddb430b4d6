"""Control by a reference: the maps read from it, and paintings that follow them."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.control import CONTROL_TYPES, PRE_PROCESSORS, compute_control_map, guide
from atelier_mcp.server.engine.pixels import Pixels, resize
from tests.support.photos import PHOTO_NAMES, compute_distance, compute_mean_lab, load_photo

LINE_KINDS = ("canny", "mlsd", "lineart", "lineart_anime", "softedge", "scribble")
KINDS_AND_PRE_PROCESSORS = tuple((kind, name) for kind, names in PRE_PROCESSORS.items() for name in names)


def make_painting() -> Pixels:
    """A plain landscape: an evening sky over dark blue water."""
    image = np.zeros((320, 400, 3), np.uint8)
    image[:200] = np.linspace((70, 50, 120), (250, 170, 90), 200).astype(np.uint8)[:, None]
    image[200:] = (20, 50, 90)
    return image


def draw_house() -> Pixels:
    """A white house with a red roof in front of a grey sky."""
    image = np.full((320, 400, 3), 150, np.uint8)
    cv2.rectangle(image, (120, 160), (280, 280), (240, 240, 235), -1)
    cv2.fillPoly(image, [np.array([[100, 160], [200, 80], [300, 160]], np.int32)], (170, 40, 30))
    return image


def guide_painting(
    kind: str, reference: Pixels, *, weight: float = 1.0, start: float = 0.0, end: float = 1.0
) -> Pixels:
    """The plain landscape guided by the reference's map."""
    map_image = compute_control_map(reference, kind, pre_processor=None, down_sample=4)
    return guide(make_painting(), map_image, kind, weight=weight, start=start, end=end, seed=5)


def test_all_sixteen_kinds_of_the_contract_are_there():
    assert len(set(CONTROL_TYPES)) == 16


@pytest.mark.parametrize(("kind", "pre_processor"), KINDS_AND_PRE_PROCESSORS)
def test_every_map_is_an_rgb_picture_of_the_references_size(kind: str, pre_processor: str):
    source = load_photo("grace_hopper.jpg")
    map_image = compute_control_map(source, kind, pre_processor=pre_processor, down_sample=2)
    assert map_image.shape == source.shape
    assert map_image.dtype == np.uint8


@pytest.mark.parametrize("kind", CONTROL_TYPES)
def test_pass_takes_the_picture_for_the_map(kind: str):
    source = load_photo("coffee.png")
    assert np.array_equal(compute_control_map(source, kind, pre_processor="pass"), source)


@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_lower_canny_thresholds_give_more_lines(name: str):
    source = load_photo(name)
    ink = [
        float(compute_control_map(source, "canny", pre_processor=None, low=low, high=high).mean())
        for low, high in ((200, 255), (100, 200), (50, 100), (10, 30))
    ]
    assert all(busier > quieter for quieter, busier in pairwise(ink))


@pytest.mark.parametrize("kind", LINE_KINDS)
def test_line_maps_mark_the_borders_of_forms_and_leave_flat_areas_black(kind: str):
    map_image = compute_control_map(draw_house(), kind, pre_processor=None)[..., 0]
    eaves = map_image[155:166, 130:270].max(axis=0)
    assert np.mean(eaves > 60) > 0.8
    assert map_image[10:60, 10:90].max() < 40


def test_an_inverted_drawing_becomes_light_lines_on_black():
    drawing = np.full((100, 100, 3), 250, np.uint8)
    cv2.line(drawing, (10, 50), (90, 50), (10, 10, 10), 3)
    map_image = compute_control_map(drawing, "canny", pre_processor="invert")
    assert map_image[50, 50].min() > 200
    assert map_image[10, 10].max() < 30


def test_coarse_line_art_has_less_detail_than_the_standard():
    source = load_photo("astronaut.png", longest_px=640)

    def count_fragments(name: str) -> int:
        plane = compute_control_map(source, "lineart", pre_processor=name)[..., 0]
        return cv2.connectedComponents((plane > 90).astype(np.uint8))[0]

    assert count_fragments("lineart_coarse") < 0.6 * count_fragments("lineart_standard")


def test_tile_blurs_more_at_a_higher_down_sample():
    source = load_photo("chelsea.png")
    away = [
        compute_distance(source, compute_control_map(source, "tile", pre_processor=None, down_sample=d))
        for d in (1, 2, 4, 8)
    ]
    assert away[0] == 0
    assert all(further > nearer for nearer, further in pairwise(away))


def test_shuffle_keeps_the_palette_and_loses_the_forms():
    source = load_photo("coffee.png")
    map_image = compute_control_map(source, "shuffle", pre_processor=None)
    assert np.allclose(compute_mean_lab(map_image), compute_mean_lab(source), atol=12)
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).ravel() for each in (source, map_image)]
    assert abs(np.corrcoef(grey[0], grey[1])[0, 1]) < 0.4


def test_depth_puts_the_person_before_the_wall():
    map_image = compute_control_map(load_photo("astronaut.png"), "depth", pre_processor=None)[..., 0]
    assert map_image[150:230, 100:160].mean() > 1.5 * map_image[20:80, 20:60].mean()


def test_flat_ground_has_normals_that_face_the_viewer():
    map_image = compute_control_map(np.full((120, 160, 3), 128, np.uint8), "normal", pre_processor=None)
    assert np.abs(map_image[20:-20, 20:-20].reshape(-1, 3).mean(axis=0) - (128, 128, 255)).max() < 45


def test_regions_are_at_most_nine_flat_colours():
    map_image = compute_control_map(load_photo("coffee.png"), "seg", pre_processor=None)
    assert 3 <= len(np.unique(map_image.reshape(-1, 3), axis=0)) <= 9


def test_a_face_gives_the_place_of_the_pose():
    map_image = compute_control_map(load_photo("astronaut.png", longest_px=512), "openpose", pre_processor=None)
    rows, columns = np.nonzero(map_image.max(axis=2))
    assert rows.min() < 130
    assert 170 < np.median(columns) < 280


@pytest.mark.parametrize("more", ["openpose_face", "openpose_hand", "openpose_full"])
def test_face_and_hand_pre_processors_add_to_the_pose(more: str):
    source = load_photo("astronaut.png", longest_px=512)
    plain, fuller = (compute_control_map(source, "openpose", pre_processor=name) for name in ("openpose", more))
    assert np.count_nonzero(fuller) > np.count_nonzero(plain)


def test_the_face_map_holds_the_face_and_nothing_else():
    source = load_photo("astronaut.png", longest_px=512)
    map_image = compute_control_map(source, "ip_adapter_faceid", pre_processor=None)
    is_visible = map_image.max(axis=2) > 0
    assert 0.01 < is_visible.mean() < 0.10
    assert is_visible[115, 225]
    assert np.array_equal(map_image[is_visible], source[is_visible])


def test_without_a_face_the_face_map_is_black_and_guides_nothing():
    map_image = compute_control_map(load_photo("coffee.png"), "ip_adapter_faceid", pre_processor=None)
    assert not map_image.any()
    assert np.array_equal(
        guide(make_painting(), map_image, "ip_adapter_faceid", weight=1, start=0, end=1, seed=1), make_painting()
    )


@pytest.mark.parametrize("kind", CONTROL_TYPES)
def test_a_control_visibly_changes_the_painting_at_its_size(kind: str):
    followed = guide_painting(kind, load_photo("astronaut.png", longest_px=512))
    assert followed.shape == make_painting().shape
    assert compute_distance(make_painting(), followed) > 1


@pytest.mark.parametrize("kind", CONTROL_TYPES)
def test_more_weight_follows_further(kind: str):
    reference = load_photo("astronaut.png", longest_px=512)
    away = [
        compute_distance(make_painting(), guide_painting(kind, reference, weight=weight))
        for weight in (0.0, 0.3, 0.7, 1.0)
    ]
    assert away[0] == 0
    assert all(further > nearer for nearer, further in pairwise(away))


def test_a_control_that_acts_for_half_the_run_counts_half():
    halved = guide_painting("brightness", draw_house(), weight=1.0, start=0.25, end=0.75)
    assert np.array_equal(halved, guide_painting("brightness", draw_house(), weight=0.5))


def test_a_control_that_ends_before_it_starts_does_nothing():
    assert np.array_equal(guide_painting("canny", draw_house(), start=0.8, end=0.2), make_painting())


@pytest.mark.parametrize("kind", LINE_KINDS)
def test_the_painting_shows_the_lines_of_the_reference(kind: str):
    followed = cv2.cvtColor(guide_painting(kind, draw_house()), cv2.COLOR_RGB2GRAY).astype(int)
    eaves, above, below = (
        followed[rows, 140:260].mean() for rows in (slice(158, 162), slice(140, 146), slice(176, 182))
    )
    assert min(above, below) - eaves > 25


@pytest.mark.parametrize("kind", ["brightness", "tile", "ip2p", "depth"])
def test_the_painting_takes_the_light_and_dark_of_the_reference(kind: str):
    reference = load_photo("coffee.png", longest_px=400)
    map_image = compute_control_map(reference, kind, pre_processor=None)
    before = make_painting()
    after = guide(before, map_image, kind, weight=1, start=0, end=1, seed=1)
    wanted, plain, followed = (
        cv2.cvtColor(resize(each, 200, 160), cv2.COLOR_RGB2GRAY)[8:-8].ravel() for each in (map_image, before, after)
    )
    assert np.corrcoef(wanted, followed)[0, 1] > np.corrcoef(wanted, plain)[0, 1] + 0.2


@pytest.mark.parametrize("kind", ["shuffle", "reference_only"])
def test_the_painting_takes_the_palette_of_the_reference(kind: str):
    reference = load_photo("coffee.png")
    wanted, before, after = (
        np.array(compute_mean_lab(each))[1:] for each in (reference, make_painting(), guide_painting(kind, reference))
    )
    assert np.linalg.norm(after - wanted) < 0.5 * np.linalg.norm(before - wanted)


def test_the_face_appears_in_the_painting_where_it_was_in_the_reference():
    reference = load_photo("grace_hopper.jpg", longest_px=512)
    map_image = compute_control_map(reference, "ip_adapter_faceid", pre_processor=None)
    ground = np.full_like(reference, 120)
    followed = guide(ground, map_image, "ip_adapter_faceid", weight=2, start=0, end=1, seed=1)
    face = cv2.erode((map_image.max(axis=2) > 0).astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
    assert np.abs(followed[face].astype(int) - reference[face]).mean() < 25
    assert np.array_equal(followed[-20:], ground[-20:])


@pytest.mark.parametrize("kind", CONTROL_TYPES)
def test_a_guide_is_the_same_each_time(kind: str):
    reference = load_photo("astronaut.png")
    assert np.array_equal(guide_painting(kind, reference), guide_painting(kind, reference))


@pytest.mark.parametrize("kind", CONTROL_TYPES)
@pytest.mark.parametrize("value", [0, 255])
def test_an_empty_map_is_followed_without_an_error(kind: str, value: int):
    flat = np.full((90, 70, 3), value, np.uint8)
    assert guide(make_painting(), flat, kind, weight=1, start=0, end=1, seed=1).shape == make_painting().shape
    assert compute_control_map(flat, kind, pre_processor=None).shape == flat.shape


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="qrcode"):
        compute_control_map(draw_house(), "qrcode", pre_processor=None)


def test_a_pre_processor_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="lineart_coarse"):
        compute_control_map(draw_house(), "canny", pre_processor="lineart_coarse")
