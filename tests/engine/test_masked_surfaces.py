"""Under a mask only what is named is painted: a sky is all sky, a surface is all surface."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine import worker_functions
from atelier_mcp.server.engine.pixels import Pixels, decode, encode

HOLE = np.s_[10:120, 10:230]
INSIDE = np.s_[14:116, 14:226]


def inpaint_into(
    ground: int, prompt: str, *, negative_prompt: str = "", seed: int = 5
) -> tuple[Pixels, tuple[str, ...]]:
    """What a prompt comes to in the upper half of a plain picture, and the remarks."""
    source = np.full((240, 240, 3), ground, np.uint8)
    mask = np.full((240, 240, 3), 255, np.uint8)
    mask[HOLE] = 0
    result = worker_functions.inpaint(
        image=encode(source, "PNG"), mask=encode(mask, "PNG"), prompt=prompt, negative_prompt=negative_prompt,
        strength=1, seed=seed, samples=1, watermark="Default", file_format="PNG",
    )  # fmt: skip
    # Along its edge the place fades into the picture.
    return decode(result.unmarked_images[0])[INSIDE], result.notes


def count_greenish(part: Pixels) -> float:
    """The share of pixels in which green leads, as on grass and hills."""
    red, green, blue = (part[..., channel].astype(int) for channel in range(3))
    return float(((green > red + 6) & (green > blue + 6)).mean())


def compute_colour(part: Pixels) -> tuple[float, float, float]:
    """The mean red, green and blue."""
    red, green, blue = part.reshape(-1, 3).mean(axis=0)
    return float(red), float(green), float(blue)


def count_specks(part: Pixels) -> int:
    """Small places much brighter than what is around them: stars."""
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    return int((cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((9, 9), np.uint8)) > 25).sum())


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("prompt", ["night sky with stars", "starry sky", "night sky", "夜晚的天空"])
def test_a_night_sky_in_a_bright_picture_is_dark_and_without_land(prompt: str, seed: int) -> None:
    """Whatever the light around it, and down to its lower edge."""
    part, notes = inpaint_into(225, prompt, seed=seed)
    red, _, blue = compute_colour(part)
    assert part.mean() < 90
    assert blue > red
    assert count_greenish(part) < 0.02
    assert notes == ()


@pytest.mark.parametrize("prompt", ["clear blue sky", "blue sky", "a sky without clouds"])
def test_a_blue_sky_in_a_dark_picture_is_bright_and_blue(prompt: str) -> None:
    """It brings its own light."""
    part, _ = inpaint_into(30, prompt)
    red, _, blue = compute_colour(part)
    assert part.mean() > 130
    assert blue > red + 20
    assert count_greenish(part) < 0.02


def test_stars_and_moon_of_a_night_sky_can_be_denied() -> None:
    """In the negative prompt as in the prompt itself."""
    starry, _ = inpaint_into(225, "night sky with stars and a full moon")
    moonless, _ = inpaint_into(225, "night sky with stars and a full moon", negative_prompt="moon")
    plain, _ = inpaint_into(225, "night sky", negative_prompt="stars")
    assert starry.max() > 200 > moonless[..., 0].max()
    assert count_specks(moonless) > 20 > count_specks(plain)


def test_no_moon_rises_unasked_in_a_night_sky() -> None:
    """Nothing as large and as bright as a moon."""
    part, _ = inpaint_into(225, "night sky")
    assert cv2.erode(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), np.ones((5, 5), np.uint8)).max() < 150


def test_a_sunset_sky_is_warm() -> None:
    """Red and orange towards the horizon."""
    part, _ = inpaint_into(120, "sunset sky")
    red, _, blue = compute_colour(part[60:])
    assert red > blue + 30


@pytest.mark.parametrize(
    ("prompt", "leading"),
    [("grass", 1), ("green lawn", 1), ("water", 2), ("a blue sea", 2), ("sand", 0), ("a brick wall", 0), ("草地", 1)],
)
def test_a_surface_fills_the_hole_from_edge_to_edge(prompt: str, leading: int) -> None:
    """Its colour leads in every part of it, so there is no sky above and no horizon."""
    part, notes = inpaint_into(128, prompt)
    for rows in np.array_split(part, 5):
        colour = compute_colour(rows)
        assert max(range(3), key=lambda channel: colour[channel]) == leading
    assert notes == ()


def test_snow_is_white_from_edge_to_edge() -> None:
    """Bright and all but grey."""
    part, _ = inpaint_into(200, "snow")
    assert min(rows.mean() for rows in np.array_split(part, 5)) > 165
    assert np.ptp(compute_colour(part)) < 40


@pytest.mark.parametrize("prompt", ["a brick wall", "stone wall", "wooden planks", "tiled floor", "gravel", "sand"])
def test_a_surface_has_structure(prompt: str) -> None:
    """It is no plain colour."""
    part, notes = inpaint_into(150, prompt)
    assert part.std(axis=(0, 1)).mean() > 4
    assert notes == ()


def test_a_surface_takes_the_colour_that_was_asked() -> None:
    """And says of a second one that it is not there."""
    part, _ = inpaint_into(150, "a blue brick wall")
    red, _, blue = compute_colour(part)
    assert blue > red + 10


@pytest.mark.parametrize("prompt", ["lava", "make it pretty", "remove it"])
def test_a_prompt_that_names_nothing_paintable_leaves_the_surroundings(prompt: str) -> None:
    """No landscape of the painter's own choice; and the remark says so."""
    part, notes = inpaint_into(90, prompt)
    assert np.abs(part.astype(int) - 90).max() < 12
    assert any("filled from around it" in note for note in notes)


def test_a_denied_shore_is_not_painted_beside_the_sea() -> None:
    """What is named is sky and sea, and no third thing."""
    part, _ = inpaint_into(128, "blue sky over the sea")
    assert count_greenish(part) < 0.03


@pytest.mark.parametrize(
    ("prompt", "missing"),
    [
        ("night sky with an owl", "owl"),
        ("clear sky with two moons", "two"),
        ("grass under a cathedral of glass", "glass"),
        ("grass in the rain", "rain"),
        ("a brick wall with graffiti", "graffiti"),
        ("sand, watercolour", "watercolour"),
        ("a sun in the night sky", "sun"),
        ("snow with footprints", "footprints"),
        ("a red and blue brick wall", "blue"),
    ],
)
def test_what_a_surface_does_not_show_is_named(prompt: str, missing: str) -> None:
    """In the writer's words."""
    _, notes = inpaint_into(128, prompt)
    assert missing in " ".join(notes)
