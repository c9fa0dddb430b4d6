"""A marked area takes another colour and stays what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, decode
from atelier_mcp.server.engine.prompt import read_prompt
from atelier_mcp.server.engine.recolour import find_new_colours, recolour
from atelier_mcp.server.engine.remarks import format_mask_remarks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def cat(photos: Path) -> Pixels:
    """A cat's face."""
    return decode((photos / "chelsea.png").read_bytes())


@pytest.fixture(scope="module")
def forehead(cat: Pixels) -> Mask:
    """A disc on its fur."""
    return cv2.circle(np.zeros(cat.shape[:2], np.uint8), (220, 40), 35, 255, cv2.FILLED)


def to_lab(image: Pixels) -> Array:
    """Lightness of 100, and the two axes of colour."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def test_fur_turns_blue_and_keeps_its_hairs(cat: Pixels, forehead: Mask) -> None:
    blue = recolour(cat, forehead, ["blue"], strength=1)
    inside = cv2.erode(forehead, np.ones((17, 17), np.uint8)) > 0
    before, after = to_lab(cat)[inside], to_lab(blue)[inside]
    assert before[:, 2].mean() > 5 > -20 > after[:, 2].mean()
    assert np.corrcoef(before[:, 0], after[:, 0])[0, 1] > 0.97


def test_nothing_outside_of_the_marks_changes(cat: Pixels, forehead: Mask) -> None:
    changed = np.any(recolour(cat, forehead, ["red"], strength=1) != cat, axis=2)
    assert changed.any()
    assert not changed[forehead == 0].any()


@pytest.mark.parametrize(("name", "is_darker"), [("black", True), ("white", False)])
def test_black_and_white_change_the_lightness(cat: Pixels, forehead: Mask, name: str, is_darker: bool) -> None:
    made = recolour(cat, forehead, [name], strength=1)
    change = to_lab(made)[forehead > 0][:, 0].mean() - to_lab(cat)[forehead > 0][:, 0].mean()
    assert abs(change) > 5
    assert (change < 0) == is_darker


@pytest.mark.parametrize(
    ("text", "colours"),
    [
        ("blue-grey fur", ("blue", "grey")),
        ("make it pink", ("pink",)),
        ("slate grey fur", ("grey",)),
        ("a teal suit", ("teal",)),
        ("改成红色", ("red",)),
        ("a red car", ()),
        ("a blue sky", ()),
        ("a brick wall", ()),
        ("blue, at night", ()),
    ],
)
def test_only_a_prompt_of_colours_recolours(text: str, colours: tuple[str, ...]) -> None:
    assert find_new_colours(read_prompt(text)) == colours


def test_it_is_said_what_was_done() -> None:
    remarks = format_mask_remarks(read_prompt("blue-grey fur"))
    assert remarks == ("The marked area keeps its forms and takes the colour: blue, grey",)


def test_another_seed_is_another_shade(cat: Pixels, forehead: Mask) -> None:
    first, again, second = (recolour(cat, forehead, ["blue"], strength=1, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != second).any()
