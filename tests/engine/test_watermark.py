"""The visible mark: in its corner, readable on any ground, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from atelier_mcp.server.engine.upscale import upscale
from atelier_mcp.server.engine.watermark import stamp
from tests.support.photos import load_photo

if TYPE_CHECKING:
    from atelier_mcp.server.engine.tasks import Watermark

KINDS: tuple[Watermark, ...] = ("Default", "MakaLogo")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(960, 960), (512, 768), (1536, 640)])
def test_the_mark_touches_only_the_lower_right_corner(kind: Watermark, size: tuple[int, int]):
    height, width = size
    source = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    changed = (stamp(source, kind) != source).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.min() > 0.85 * height
    assert columns.min() > 0.60 * width
    assert not changed[-3:].any()
    assert not changed[:, -3:].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_the_mark_reads_on_dark_middle_and_light_grounds(kind: Watermark, grey: int):
    stamped = stamp(np.full((600, 600, 3), grey, np.uint8), kind)[500:, 300:]
    assert int(stamped.max()) - int(stamped.min()) > 70


def test_the_two_marks_differ():
    source = load_photo("chelsea.png")
    assert not np.array_equal(stamp(source, "Default"), stamp(source, "MakaLogo"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (4, 400), (40, 12)])
def test_a_picture_too_small_for_the_mark_keeps_its_size(kind: Watermark, size: tuple[int, int]):
    assert stamp(np.zeros((*size, 3), np.uint8), kind).shape == (*size, 3)


def test_the_source_is_left_alone():
    source = load_photo("coffee.png")
    before = source.copy()
    stamp(source, "Default")
    assert np.array_equal(source, before)


@pytest.mark.parametrize("kind", ["Default", "MakaLogo"])
@pytest.mark.parametrize("ratio", [1.5, 2, 3])
def test_an_enlarged_picture_keeps_the_mark_it_has_and_gets_no_second(kind: Watermark, ratio: float) -> None:
    """Two marks that lie over each other can be read by nobody."""
    marked = stamp(load_photo("coffee.png", 640), kind)
    enlarged = upscale(marked, ratio)
    assert (stamp(enlarged, kind) == enlarged).all()


def test_a_picture_without_a_mark_always_gets_one() -> None:
    """However busy its corner is."""
    noise = np.random.default_rng(1).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    for image in (noise, load_photo("chelsea.png", 400), np.full((300, 400, 3), 128, np.uint8)):
        assert (stamp(image, "Default") != image).any()
