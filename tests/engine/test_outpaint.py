"""A picture continued beyond its borders: the source stands, and the new border goes on from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.outpaint import outpaint
from atelier_mcp.server.engine.pixels import Mask, Pixels, decode, resize

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def coffee(photos: Path) -> Pixels:
    """A cup of coffee on wood, at half size."""
    return resize(decode((photos / "coffee.png").read_bytes()), 300, 200)


@pytest.fixture(scope="module")
def wider(coffee: Pixels) -> Pixels:
    """The same with a quarter more on each side."""
    return outpaint(coffee, left=75, top=50, right=75, bottom=50)


def test_the_source_stands_bit_for_bit_in_its_place(coffee: Pixels, wider: Pixels) -> None:
    """Whatever grows round it."""
    assert wider.shape == (300, 450, 3)
    assert (wider[50:250, 75:375] == coffee).all()


def test_the_new_border_goes_on_in_the_colours_beside_it(coffee: Pixels, wider: Pixels) -> None:
    """Each new strip is about as light and as coloured as the strip of the source it touches."""
    pairs = [
        (wider[50:250, 50:75], coffee[:, :25]),
        (wider[50:250, 375:400], coffee[:, -25:]),
        (wider[30:50, 75:375], coffee[:20]),
        (wider[250:270, 75:375], coffee[-20:]),
    ]
    for new, old in pairs:
        assert np.abs(new.mean((0, 1)) - old.mean((0, 1))).max() < 30


def test_no_seam_runs_along_the_joint(coffee: Pixels, wider: Pixels) -> None:
    """A step across the joint is no larger than twice the steps within the source."""
    within = np.abs(np.diff(coffee.astype(int), axis=1)).mean()
    assert np.abs(wider[50:250, 75].astype(int) - wider[50:250, 74]).mean() < 2 * within + 2
    assert np.abs(wider[50:250, 375].astype(int) - wider[50:250, 374]).mean() < 2 * within + 2


def test_the_new_border_has_texture(wider: Pixels) -> None:
    """It is no black frame, no smear of the outermost row, and no mirror image."""
    new = wider[:, :75]
    assert new.mean() > 20
    assert new.std(axis=(0, 1)).min() > 5
    assert np.abs(np.diff(new.astype(int), axis=1)).mean() > 1
    mirrored = wider[50:250, 75:150][:, ::-1]
    assert np.abs(wider[50:250, :75].astype(int) - mirrored).mean() > 8


def test_a_subject_is_not_copied_into_the_margin(photos: Path) -> None:
    """With the astronaut barred no orange suit appears at the sides."""
    astronaut = resize(decode((photos / "astronaut.png").read_bytes()), 256, 256)
    subject = np.zeros((256, 256), np.uint8)
    cv2.rectangle(subject, (0, 20), (195, 255), 255, cv2.FILLED)
    out = outpaint(astronaut, left=0, top=0, right=100, bottom=0, subject=subject)
    hue, saturation, value = cv2.split(cv2.cvtColor(out, cv2.COLOR_RGB2HSV))
    orange = (hue < 15) & (saturation > 150) & (value > 100)
    assert orange[:, :200].mean() > 0.1
    assert orange[:, 256:].mean() < 0.005


def test_below_the_ground_comes_ground(photos: Path) -> None:
    """A launch pad continued downwards takes its colours from the pad, not from the sky above it."""
    pad = resize(decode((photos / "rocket.jpg").read_bytes()), 320, 213)
    below = outpaint(pad, left=0, top=0, right=0, bottom=50)[213:].mean((0, 1))
    ground, sky = pad[-24:].mean((0, 1)), pad[60:140].mean((0, 1))
    assert np.abs(below - ground).sum() < 0.5 * np.abs(below - sky).sum()


def test_masts_are_not_copied_into_the_sky(photos: Path) -> None:
    """Above the towers of a launch pad is sky, as smooth as the sky between them."""
    pad = resize(decode((photos / "rocket.jpg").read_bytes()), 320, 213)
    above = outpaint(pad, left=0, top=80, right=0, bottom=0)[:50].astype(np.float32)
    assert np.abs(above - cv2.GaussianBlur(above, (0, 0), 6)).mean() < 3


def test_what_the_border_cuts_off_melts_away_below(photos: Path) -> None:
    """The suit of the astronaut does not end in a straight line; it goes on for a little, and then no more."""
    astronaut = resize(decode((photos / "astronaut.png").read_bytes()), 256, 256)
    subject = np.zeros((256, 256), np.uint8)
    cv2.rectangle(subject, (0, 20), (195, 255), 255, cv2.FILLED)
    out = outpaint(astronaut, left=0, top=0, right=0, bottom=100, subject=subject).astype(int)
    redness = (out[..., 0] - out[..., 2])[:, 40:90].mean(axis=1)
    assert redness[256:262].mean() > 0.7 * redness[250:256].mean()
    assert redness[340:].mean() < 0.6 * redness[250:256].mean()


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_each_side_can_grow_alone(coffee: Pixels, side: str) -> None:
    """By an odd number of pixels, and only that side."""
    margins = {"left": 0, "top": 0, "right": 0, "bottom": 0} | {side: 37}
    out = outpaint(coffee, left=margins["left"], top=margins["top"], right=margins["right"], bottom=margins["bottom"])
    assert out.shape == (200 + margins["top"] + margins["bottom"], 300 + margins["left"] + margins["right"], 3)
    assert (out[margins["top"] :][:200, margins["left"] :][:, :300] == coffee).all()


def test_a_large_picture_grows_at_its_own_size(coffee: Pixels) -> None:
    """The search runs small; the answer keeps the source's size and pixels."""
    large = resize(coffee, 1500, 1000)
    out = outpaint(large, left=0, top=0, right=500, bottom=0)
    assert out.shape == (1000, 2000, 3)
    assert (out[:, :1500] == large).all()


def test_the_same_picture_gives_the_same_bytes(coffee: Pixels, wider: Pixels) -> None:
    """The patch search starts from one seed."""
    assert (outpaint(coffee, left=75, top=50, right=75, bottom=50) == wider).all()


@pytest.mark.parametrize("margins", [(0, 0, 0, 0), (10, 0, -1, 0)])
def test_useless_margins_are_refused_in_one_sentence(coffee: Pixels, margins: tuple[int, int, int, int]) -> None:
    """None at all, or a negative one."""
    left, top, right, bottom = margins
    with pytest.raises(ValueError, match="margins must not be negative and one must be above 0"):
        outpaint(coffee, left=left, top=top, right=right, bottom=bottom)


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (np.zeros((200, 300), np.uint8), "empty"),
        (np.full((200, 300), 255, np.uint8), "covers the whole picture"),
        (np.full((300, 200), 255, np.uint8), "200x300 but the picture is 300x200"),
    ],
)
def test_a_useless_subject_is_refused_in_one_sentence(coffee: Pixels, subject: Mask, said: str) -> None:
    """Empty, all-covering, or of another size."""
    with pytest.raises(ValueError, match=said):
        outpaint(coffee, left=10, top=0, right=0, bottom=0, subject=subject)
