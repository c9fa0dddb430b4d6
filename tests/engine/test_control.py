"""Control by a reference: the maps read from it, and paintings that follow them."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from photographs import PHOTOS, distance, mean_lab, photo

from atelier_mcp.server.engine.control import CONTROL_TYPES, PRE_PROCESSORS, control_map, guide
from atelier_mcp.server.engine.pixels import Pixels, resized

LINE_KINDS = ("canny", "mlsd", "lineart", "lineart_anime", "softedge", "scribble")
NAMED = tuple((kind, name) for kind, names in PRE_PROCESSORS.items() for name in names)


def painting() -> Pixels:
    """A plain landscape: an evening sky over dark blue water."""
    picture = np.zeros((320, 400, 3), np.uint8)
    picture[:200] = np.linspace((70, 50, 120), (250, 170, 90), 200).astype(np.uint8)[:, None]
    picture[200:] = (20, 50, 90)
    return picture


def house() -> Pixels:
    """A white house with a red roof in front of a grey sky."""
    picture = np.full((320, 400, 3), 150, np.uint8)
    cv2.rectangle(picture, (120, 160), (280, 280), (240, 240, 235), -1)
    cv2.fillPoly(picture, [np.array([[100, 160], [200, 80], [300, 160]], np.int32)], (170, 40, 30))
    return picture


def guided(kind: str, reference: Pixels, *, weight: float = 1.0, start: float = 0.0, end: float = 1.0) -> Pixels:
    """The plain landscape guided by the reference's map."""
    read = control_map(reference, kind, pre_processor=None, down_sample=4)
    return guide(painting(), read, kind, weight=weight, start=start, end=end, seed=5)


def test_all_sixteen_kinds_of_the_contract_are_there():
    assert len(set(CONTROL_TYPES)) == 16


@pytest.mark.parametrize(("kind", "pre_processor"), NAMED)
def test_every_map_is_an_rgb_picture_of_the_references_size(kind: str, pre_processor: str):
    source = photo("grace_hopper.jpg")
    read = control_map(source, kind, pre_processor=pre_processor, down_sample=2)
    assert read.shape == source.shape
    assert read.dtype == np.uint8


@pytest.mark.parametrize("kind", CONTROL_TYPES)
def test_pass_takes_the_picture_for_the_map(kind: str):
    source = photo("coffee.png")
    assert np.array_equal(control_map(source, kind, pre_processor="pass"), source)


@pytest.mark.parametrize("name", PHOTOS)
def test_lower_canny_thresholds_give_more_lines(name: str):
    source = photo(name)
    ink = [
        float(control_map(source, "canny", pre_processor=None, low=low, high=high).mean())
        for low, high in ((200, 255), (100, 200), (50, 100), (10, 30))
    ]
    assert all(busier > quieter for quieter, busier in pairwise(ink))


@pytest.mark.parametrize("kind", LINE_KINDS)
def test_line_maps_mark_the_borders_of_forms_and_leave_flat_areas_black(kind: str):
    read = control_map(house(), kind, pre_processor=None)[..., 0]
    eaves = read[155:166, 130:270].max(axis=0)
    assert np.mean(eaves > 60) > 0.8
    assert read[10:60, 10:90].max() < 40


def test_an_inverted_drawing_becomes_light_lines_on_black():
    drawing = np.full((100, 100, 3), 250, np.uint8)
    cv2.line(drawing, (10, 50), (90, 50), (10, 10, 10), 3)
    read = control_map(drawing, "canny", pre_processor="invert")
    assert read[50, 50].min() > 200
    assert read[10, 10].max() < 30


def test_coarse_line_art_has_less_detail_than_the_standard():
    source = photo("astronaut.png", longest=640)

    def fragments(name: str) -> int:
        plane = control_map(source, "lineart", pre_processor=name)[..., 0]
        return cv2.connectedComponents((plane > 90).astype(np.uint8))[0]

    assert fragments("lineart_coarse") < 0.6 * fragments("lineart_standard")


def test_tile_blurs_more_at_a_higher_down_sample():
    source = photo("chelsea.png")
    away = [distance(source, control_map(source, "tile", pre_processor=None, down_sample=d)) for d in (1, 2, 4, 8)]
    assert away[0] == 0
    assert all(further > nearer for nearer, further in pairwise(away))


def test_shuffle_keeps_the_palette_and_loses_the_forms():
    source = photo("coffee.png")
    read = control_map(source, "shuffle", pre_processor=None)
    assert np.allclose(mean_lab(read), mean_lab(source), atol=12)
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).ravel() for each in (source, read)]
    assert abs(np.corrcoef(grey[0], grey[1])[0, 1]) < 0.4


def test_depth_puts_the_person_before_the_wall():
    read = control_map(photo("astronaut.png"), "depth", pre_processor=None)[..., 0]
    assert read[150:230, 100:160].mean() > 1.5 * read[20:80, 20:60].mean()


def test_flat_ground_has_normals_that_face_the_viewer():
    read = control_map(np.full((120, 160, 3), 128, np.uint8), "normal", pre_processor=None)
    assert np.abs(read[20:-20, 20:-20].reshape(-1, 3).mean(axis=0) - (128, 128, 255)).max() < 45


def test_regions_are_at_most_nine_flat_colours():
    read = control_map(photo("coffee.png"), "seg", pre_processor=None)
    assert 3 <= len(np.unique(read.reshape(-1, 3), axis=0)) <= 9


def test_a_face_gives_the_place_of_the_pose():
    read = control_map(photo("astronaut.png", longest=512), "openpose", pre_processor=None)
    rows, columns = np.nonzero(read.max(axis=2))
    assert rows.min() < 130
    assert 170 < np.median(columns) < 280


@pytest.mark.parametrize("more", ["openpose_face", "openpose_hand", "openpose_full"])
def test_face_and_hand_pre_processors_add_to_the_pose(more: str):
    source = photo("astronaut.png", longest=512)
    plain, fuller = (control_map(source, "openpose", pre_processor=name) for name in ("openpose", more))
    assert np.count_nonzero(fuller) > np.count_nonzero(plain)


def test_the_face_map_holds_the_face_and_nothing_else():
    source = photo("astronaut.png", longest=512)
    read = control_map(source, "ip_adapter_faceid", pre_processor=None)
    shown = read.max(axis=2) > 0
    assert 0.01 < shown.mean() < 0.10
    assert shown[115, 225]
    assert np.array_equal(read[shown], source[shown])


def test_without_a_face_the_face_map_is_black_and_guides_nothing():
    read = control_map(photo("coffee.png"), "ip_adapter_faceid", pre_processor=None)
    assert not read.any()
    assert np.array_equal(guide(painting(), read, "ip_adapter_faceid", weight=1, start=0, end=1, seed=1), painting())


@pytest.mark.parametrize("kind", CONTROL_TYPES)
def test_a_control_visibly_changes_the_painting_at_its_size(kind: str):
    followed = guided(kind, photo("astronaut.png", longest=512))
    assert followed.shape == painting().shape
    assert distance(painting(), followed) > 1


@pytest.mark.parametrize("kind", CONTROL_TYPES)
def test_more_weight_follows_further(kind: str):
    reference = photo("astronaut.png", longest=512)
    away = [distance(painting(), guided(kind, reference, weight=weight)) for weight in (0.0, 0.3, 0.7, 1.0)]
    assert away[0] == 0
    assert all(further > nearer for nearer, further in pairwise(away))


def test_a_control_that_acts_for_half_the_run_counts_half():
    halved = guided("brightness", house(), weight=1.0, start=0.25, end=0.75)
    assert np.array_equal(halved, guided("brightness", house(), weight=0.5))


def test_a_control_that_ends_before_it_starts_does_nothing():
    assert np.array_equal(guided("canny", house(), start=0.8, end=0.2), painting())


@pytest.mark.parametrize("kind", LINE_KINDS)
def test_the_painting_shows_the_lines_of_the_reference(kind: str):
    followed = cv2.cvtColor(guided(kind, house()), cv2.COLOR_RGB2GRAY).astype(int)
    eaves, above, below = (
        followed[rows, 140:260].mean() for rows in (slice(158, 162), slice(140, 146), slice(176, 182))
    )
    assert min(above, below) - eaves > 25


@pytest.mark.parametrize("kind", ["brightness", "tile", "ip2p", "depth"])
def test_the_painting_takes_the_light_and_dark_of_the_reference(kind: str):
    reference = photo("coffee.png", longest=400)
    read = control_map(reference, kind, pre_processor=None)
    before = painting()
    after = guide(before, read, kind, weight=1, start=0, end=1, seed=1)
    wanted, plain, followed = (
        cv2.cvtColor(resized(each, 200, 160), cv2.COLOR_RGB2GRAY)[8:-8].ravel() for each in (read, before, after)
    )
    assert np.corrcoef(wanted, followed)[0, 1] > np.corrcoef(wanted, plain)[0, 1] + 0.2


@pytest.mark.parametrize("kind", ["shuffle", "reference_only"])
def test_the_painting_takes_the_palette_of_the_reference(kind: str):
    reference = photo("coffee.png")
    wanted, before, after = (np.array(mean_lab(each))[1:] for each in (reference, painting(), guided(kind, reference)))
    assert np.linalg.norm(after - wanted) < 0.5 * np.linalg.norm(before - wanted)


def test_the_face_appears_in_the_painting_where_it_was_in_the_reference():
    reference = photo("grace_hopper.jpg", longest=512)
    read = control_map(reference, "ip_adapter_faceid", pre_processor=None)
    ground = np.full_like(reference, 120)
    followed = guide(ground, read, "ip_adapter_faceid", weight=2, start=0, end=1, seed=1)
    face = cv2.erode((read.max(axis=2) > 0).astype(np.uint8), np.ones((41, 41), np.uint8)) > 0
    assert np.abs(followed[face].astype(int) - reference[face]).mean() < 25
    assert np.array_equal(followed[-20:], ground[-20:])


@pytest.mark.parametrize("kind", CONTROL_TYPES)
def test_a_guide_is_the_same_each_time(kind: str):
    reference = photo("astronaut.png")
    assert np.array_equal(guided(kind, reference), guided(kind, reference))


@pytest.mark.parametrize("kind", CONTROL_TYPES)
@pytest.mark.parametrize("value", [0, 255])
def test_an_empty_map_is_followed_without_an_error(kind: str, value: int):
    flat = np.full((90, 70, 3), value, np.uint8)
    assert guide(painting(), flat, kind, weight=1, start=0, end=1, seed=1).shape == painting().shape
    assert control_map(flat, kind, pre_processor=None).shape == flat.shape


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="qrcode"):
        control_map(house(), "qrcode", pre_processor=None)


def test_a_pre_processor_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="lineart_coarse"):
        control_map(house(), "canny", pre_processor="lineart_coarse")
