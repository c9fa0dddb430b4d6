"""A description says what can be measured, in everyday words, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.describe import describe, name_colour
from atelier_mcp.server.engine.faces import DetectedFace
from atelier_mcp.server.engine.pixels import Pixels, decode

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = {
    "red": (255, 0, 0),
    "maroon": (128, 0, 0),
    "orange": (255, 140, 0),
    "brown": (139, 69, 19),
    "beige": (224, 172, 140),
    "sand": (210, 180, 140),
    "cream": (245, 245, 220),
    "yellow": (255, 230, 0),
    "green": (0, 128, 0),
    "teal": (0, 140, 140),
    "turquoise": (0, 240, 240),
    "pale blue": (135, 206, 235),
    "blue": (0, 0, 255),
    "navy": (0, 0, 128),
    "violet": (138, 43, 226),
    "magenta": (255, 0, 255),
    "pink": (255, 105, 180),
    "black": (4, 4, 4),
    "charcoal": (60, 60, 60),
    "grey": (120, 120, 120),
    "white": (255, 255, 255),
    "light bluish grey": (170, 180, 190),
    "light warm grey": (185, 180, 172),
}


def make_plain_image(colour: tuple[int, int, int], width: int = 80, height: int = 80) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def load_photo(photos: Path, name: str) -> Pixels:
    return decode((photos / name).read_bytes())


@pytest.mark.parametrize(("name", "colour"), COLOURS.items())
def test_a_picture_of_one_colour_is_called_by_its_name(name: str, colour: tuple[int, int, int]) -> None:
    lightness, a, b = cv2.cvtColor(make_plain_image(colour).astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)[
        0, 0
    ]
    assert name_colour(float(lightness), float(a), float(b)) == name


def test_every_colour_has_a_name() -> None:
    cube = np.stack(np.meshgrid(*[np.linspace(0, 1, 9, dtype=np.float32)] * 3), axis=-1).reshape(1, -1, 3)
    for lightness, a, b in cv2.cvtColor(np.ascontiguousarray(cube), cv2.COLOR_RGB2Lab)[0]:
        assert name_colour(float(lightness), float(a), float(b))


def test_the_colours_come_in_the_order_of_their_size() -> None:
    image = make_plain_image((0, 0, 255), 100, 100)
    image[:, :30] = (255, 0, 0)
    assert "mostly blue and red" in describe(image, [])


def test_a_small_bright_thing_on_calm_ground_is_a_touch_of_colour() -> None:
    image = make_plain_image((170, 180, 190), 160, 160)
    image[60:90, 60:90] = (210, 30, 30)
    assert "light bluish grey with a touch of red" in describe(image, [])


def test_a_picture_without_colour_is_black_and_white() -> None:
    ramp = np.repeat(np.linspace(0, 255, 90, dtype=np.uint8)[:, np.newaxis], 90, axis=1)
    text = describe(np.dstack([ramp] * 3), [])
    assert "in black and white" in text
    assert "high-contrast" in text
    assert "brighter at the bottom" in text


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (90, 90, "square"),
        (120, 90, "landscape-format"),
        (90, 120, "portrait-format"),
        (300, 90, "panoramic"),
        (60, 200, "tall, narrow"),
        (1, 1, "square"),
    ],
)
def test_the_format_is_named(width: int, height: int, shape: str) -> None:
    assert f"{shape} picture" in describe(make_plain_image((90, 120, 200), width, height), [])


@pytest.mark.parametrize(("grey", "word"), [(20, "very dark"), (70, "dark"), (180, "bright"), (250, "very bright")])
def test_the_light_is_named(grey: int, word: str) -> None:
    assert describe(make_plain_image((grey, grey, grey)), []).startswith(f"A {word}, low-contrast")


def test_a_level_line_between_two_fields_is_perhaps_a_horizon() -> None:
    image = make_plain_image((135, 206, 235), 300, 200)
    image[140:] = (60, 110, 50)
    noise = np.random.default_rng(2).normal(0, 8, image.shape)
    text = describe(np.clip(image + noise, 0, 255).astype(np.uint8), [])
    assert "perhaps a horizon, parts pale blue above from green below in the lower part" in text


def test_a_slanting_line_is_no_horizon() -> None:
    rows, columns = np.indices((200, 200))
    image = np.where(((rows + columns) > 200)[..., np.newaxis], (60, 110, 50), (135, 206, 235)).astype(np.uint8)
    assert "horizon" not in describe(image, [])


def test_a_face_is_placed_and_measured() -> None:
    face = DetectedFace(x=10, y=10, width=50, height=50, eyes=None, confidence=0.9)
    text = describe(make_plain_image((90, 120, 200), 200, 200), [face])
    assert "One face can be seen above and left of the centre, about a quarter of the height." in text


def test_several_faces_are_counted() -> None:
    faces = [DetectedFace(x=60 * index, y=10, width=50, height=50, eyes=None, confidence=0.9) for index in range(3)]
    assert "Three faces can be seen." in describe(make_plain_image((90, 120, 200), 200, 200), faces)


def test_faces_are_looked_for_when_left_out(photos: Path) -> None:
    astronaut = load_photo(photos, "astronaut.png")
    assert "One face can be seen above the centre" in describe(astronaut)
    assert "face" not in describe(astronaut, [])


def test_a_subject_is_placed_measured_and_coloured() -> None:
    image = make_plain_image((200, 210, 220), 200, 100)
    image[20:80, 130:180] = (250, 140, 0)
    subject = np.zeros((100, 200), np.uint8)
    subject[20:80, 130:180] = 255
    text = describe(image, [], subject)
    assert "The main subject, mostly orange, lies right of the centre and takes about a fifth of the picture." in text


def test_an_empty_subject_is_not_mentioned() -> None:
    assert "subject" not in describe(make_plain_image((9, 9, 9)), [], np.zeros((80, 80), np.uint8))


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "grace_hopper.jpg", "rocket.jpg"])
def test_a_photo_gets_one_or_two_plain_sentences_the_same_each_time(photos: Path, name: str) -> None:
    text = describe(load_photo(photos, name), [])
    assert re.fullmatch(r"An? [^.]+\.( [A-Z][^.]+\.)?", text)
    assert text == describe(load_photo(photos, name), [])


def test_photos_are_described_by_their_colours(photos: Path) -> None:
    assert re.search(r"vivid colours, mostly .*brown", describe(load_photo(photos, "coffee.png")))
    assert re.search(r"dark landscape-format picture, mostly navy", describe(load_photo(photos, "rocket.jpg")))
    assert re.search(r"mostly .*blue.* One face", describe(load_photo(photos, "grace_hopper.jpg")))
