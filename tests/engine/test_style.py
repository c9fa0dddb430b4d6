"""Style filters: each hand is its own, keeps the format, and follows the seed."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from atelier_mcp.server.engine.style import STYLES, stylise
from tests.support.photos import PHOTO_NAMES, compute_distance, load_photo


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_a_style_changes_the_picture_and_keeps_its_size(name: str, style: str):
    source = load_photo(name)
    drawn = stylise(source, style)
    assert drawn.shape == source.shape
    assert drawn.dtype == np.uint8
    assert compute_distance(source, drawn) > 4


def test_no_two_styles_give_the_same_picture():
    drawn = {style: stylise(load_photo("coffee.png"), style) for style in STYLES}
    near = [(one, other) for one, other in combinations(STYLES, 2) if compute_distance(drawn[one], drawn[other]) < 5]
    assert near == []


@pytest.mark.parametrize("style", STYLES)
def test_the_same_seed_draws_the_same_picture(style: str):
    source = load_photo("chelsea.png")
    assert np.array_equal(stylise(source, style, seed=3), stylise(source, style, seed=3))


@pytest.mark.parametrize("style", sorted({*STYLES} - {"pixel", "comic"}))
def test_paper_grain_and_strokes_follow_the_seed(style: str):
    source = load_photo("chelsea.png")
    assert not np.array_equal(stylise(source, style, seed=3), stylise(source, style, seed=4))


@pytest.mark.parametrize("style", ["pencil", "ink"])
def test_graphite_and_ink_have_no_colour_but_the_papers(style: str):
    drawn = stylise(load_photo("coffee.png"), style).astype(int)
    assert (drawn.max(axis=2) - drawn.min(axis=2)).max() < 30


@pytest.mark.parametrize("style", ["pencil", "ink", "poster", "comic"])
def test_line_work_does_not_drown_a_dark_picture(style: str):
    """Half of the rocket's night sky is dark; drawn, it must stay a drawing and not a black sheet."""
    assert stylise(load_photo("rocket.jpg"), style).mean() > 0.9 * load_photo("rocket.jpg").mean()


def test_pixel_art_is_made_of_a_few_colours_in_square_cells():
    drawn = stylise(load_photo("astronaut.png", longest_px=480), "pixel")
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) <= 24
    assert np.array_equal(
        drawn[::4, ::4].repeat(4, axis=0).repeat(4, axis=1)[: drawn.shape[0], : drawn.shape[1]], drawn
    )


def test_watercolour_leaves_the_margin_of_the_paper_bare():
    drawn = stylise(load_photo("rocket.jpg"), "watercolour")
    border = np.concatenate([drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]])
    assert np.median(border) > 220


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7), (64, 64)])
@pytest.mark.parametrize("style", STYLES)
def test_small_and_narrow_pictures_are_drawn_too(style: str, size: tuple[int, int]):
    source = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    assert stylise(source, style).shape == source.shape


@pytest.mark.parametrize("style", STYLES)
def test_a_picture_of_one_colour_is_drawn_without_an_error(style: str):
    assert stylise(np.full((64, 64, 3), 90, np.uint8), style).shape == (64, 64, 3)


def test_an_unknown_style_is_refused_by_name():
    with pytest.raises(ValueError, match="cubist"):
        stylise(load_photo("coffee.png"), "cubist")
