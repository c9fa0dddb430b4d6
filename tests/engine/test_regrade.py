"""Day, season and weather of a source image: a change that is asked for is one that is seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine import worker_functions
from atelier_mcp.server.engine.pixels import Pixels, decode, encode

USUAL_STRENGTH = 0.6


def repaint(source: Pixels, prompt: str, *, strength: float = USUAL_STRENGTH) -> tuple[Pixels, tuple[str, ...]]:
    """The source repainted, and the remarks."""
    height, width = source.shape[:2]
    result = worker_functions.generate(
        prompt=prompt, seed=4, width=width, height=height, source=encode(source, "PNG"), strength=strength,
        controls=(), profiles=(), file_format="PNG",
    )  # fmt: skip
    return decode(result.images[0][0]), result.notes


def paint_meadow(time: str) -> Pixels:
    """A house in a green meadow."""
    result = worker_functions.generate(
        prompt=f"a house in a green meadow {time}", seed=4, width=320, height=240, controls=(), profiles=(),
        file_format="PNG",
    )  # fmt: skip
    return decode(result.images[0][0])


@pytest.fixture(scope="module")
def by_day() -> Pixels:
    """The meadow in sunlight."""
    return paint_meadow("by day")


@pytest.fixture(scope="module")
def by_night() -> Pixels:
    """The same by night."""
    return paint_meadow("at night")


def measure_saturation(image: Pixels) -> float:
    """The mean saturation in bytes."""
    return float(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1].mean())


def test_day_comes_to_a_picture_by_night(by_night: Pixels) -> None:
    """At the usual strength it is no longer dark."""
    out, _ = repaint(by_night, "the same house by day")
    assert out.mean() > 110
    assert out.mean() > by_night.mean() + 45


def test_night_comes_to_a_picture_by_day(by_day: Pixels) -> None:
    """At the usual strength it is dark."""
    out, _ = repaint(by_day, "make it night")
    assert out.mean() < by_day.mean() * 0.45


def test_winter_whitens_the_grass(by_day: Pixels) -> None:
    """The foreground loses its green."""
    out, _ = repaint(by_day, "same scene in winter")
    assert measure_saturation(out[160:]) < measure_saturation(by_day[160:]) * 0.4
    assert out[160:].mean() > by_day[160:].mean() + 15


def test_autumn_turns_green_to_amber(by_day: Pixels) -> None:
    """Red leads where green led."""
    red, green = (repaint(by_day, "the same house in autumn")[0][170:, :, channel].mean() for channel in (0, 1))
    assert red > green + 20
    assert by_day[170:, :, 1].mean() > by_day[170:, :, 0].mean()


def test_fog_takes_the_contrast(by_day: Pixels) -> None:
    """And rain the colour."""
    foggy, _ = repaint(by_day, "the same scene in fog")
    rainy, _ = repaint(by_day, "the same house in the rain")
    assert foggy.std() < by_day.std() * 0.6
    assert measure_saturation(rainy) < measure_saturation(by_day) * 0.6


@pytest.mark.parametrize("prompt", ["make it night", "same scene in winter", "in thick fog", "stormy", "in autumn"])
def test_a_higher_strength_changes_more(by_day: Pixels, prompt: str) -> None:
    """None leaves the source as it was."""
    changes = [
        np.abs(repaint(by_day, prompt, strength=strength)[0].astype(int) - by_day).mean() for strength in (0, 0.3, 0.8)
    ]
    assert changes[0] < 1
    assert changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize("prompt", ["make it night", "same scene in winter", "the same in fog", "the same at sunset"])
def test_the_remark_says_what_was_done_and_what_more_strength_does(by_day: Pixels, prompt: str) -> None:
    """At full strength there is no more to be had."""
    _, notes = repaint(by_day, prompt)
    assert any("relit and recoloured" in note and "higher strength" in note for note in notes)
    assert not any("Not understood" in note for note in notes)
    _, notes = repaint(by_day, prompt, strength=1)
    assert not any("higher strength" in note for note in notes)


@pytest.mark.parametrize(
    ("prompt", "missing"),
    [
        ("the same house by day with a unicorn", "unicorn"),
        ("make it night with a lighthouse", "lighthouse"),
        ("same scene in winter with three snowmen", "three snowmen"),
        ("in autumn, with a scarecrow", "scarecrow"),
        ("foggy, with a train", "train"),
        ("a rainbow over the house", "rainbow"),
    ],
)
def test_what_is_not_in_the_picture_is_named(by_day: Pixels, prompt: str, missing: str) -> None:
    """In the writer's words."""
    _, notes = repaint(by_day, prompt)
    assert missing in " ".join(notes)


def test_a_negative_prompt_that_is_not_understood_is_named(by_day: Pixels) -> None:
    """Flaws that no painting here has are not."""
    result = worker_functions.generate(
        prompt="a house", negative_prompt="gazebo, blurry, watermark", seed=4, width=256, height=256, controls=(),
        profiles=(), file_format="PNG",
    )  # fmt: skip
    assert result.notes == ("Not understood in the negative prompt, and without effect: gazebo",)
